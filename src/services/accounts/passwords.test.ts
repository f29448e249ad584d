import { describe, expect, it } from '@jest/globals'
import { createPasswords } from './passwords.js'
import { CHEAP_PASSWORDS } from './testing.js'

describe('passwords', () => {
  it('are hashed with argon2id, differently each time, and recognised', async () => {
    const passwords = createPasswords(CHEAP_PASSWORDS)
    const [one, two] = [await passwords.hash('correct horse'), await passwords.hash('correct horse')]
    expect(one).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
    expect(two).not.toBe(one)
    expect(await passwords.verify(one, 'correct horse')).toBe('right')
    expect(await passwords.verify(one, 'Correct horse')).toBe('wrong')
    expect(await passwords.verify(one, '')).toBe('wrong')
    expect(await passwords.verify(null, 'correct horse')).toBe('wrong')
    expect(await passwords.verify(undefined, '')).toBe('wrong')
    expect(await passwords.verify(undefined, 'no password at all')).toBe('wrong')
  })

  it('may be of any script, and are told apart in their last byte', async () => {
    const passwords = createPasswords(CHEAP_PASSWORDS)
    const long = 'é☃😀'.repeat(100)
    const stored = await passwords.hash(long)
    expect(await passwords.verify(stored, long)).toBe('right')
    expect(await passwords.verify(stored, long.slice(0, -2) + '😁')).toBe('wrong')
  })

  it('of an old cost are right, and said to be outdated', async () => {
    const old = createPasswords({ cost: { memoryKib: 16, iterations: 1, parallelism: 1 } })
    const passwords = createPasswords(CHEAP_PASSWORDS)
    const stored = await old.hash('correct horse')
    expect(await passwords.verify(stored, 'correct horse')).toBe('outdated')
    expect(await passwords.verify(stored, 'wrong horse')).toBe('wrong')
  })

  it('are measured in characters', () => {
    const passwords = createPasswords({ minLength: 8 })
    const errcode = (password: string): string | undefined => {
      try {
        passwords.check(password)
        return undefined
      } catch (error) {
        return (error as { errcode: string }).errcode
      }
    }
    expect(errcode('1234567')).toBe('M_WEAK_PASSWORD')
    expect(errcode('😀'.repeat(7))).toBe('M_WEAK_PASSWORD')
    expect(errcode('12345678')).toBeUndefined()
    expect(errcode('x'.repeat(512))).toBeUndefined()
    expect(errcode('x'.repeat(513))).toBe('M_INVALID_PARAM')
  })

  it('are checked off the event loop, a bounded number at once; the rest is asked to come back', async () => {
    const passwords = createPasswords({ cost: { memoryKib: 4_096, iterations: 2, parallelism: 1 } })
    const stored = await passwords.hash('correct horse')
    let turns = 0
    const counted = setInterval(() => turns++, 1)
    const verdicts = await Promise.allSettled(
      Array.from({ length: 300 }, () => passwords.verify(stored, 'correct horse')),
    )
    clearInterval(counted)
    const refused = verdicts.filter((verdict) => verdict.status === 'rejected')
    expect(refused).toHaveLength(300 - 4 - 256)
    expect(refused[0]!.reason).toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
      extra: { retry_after_ms: 5_000 },
    })
    const right = verdicts.filter((verdict) => verdict.status === 'fulfilled' && verdict.value === 'right')
    expect(right).toHaveLength(260)
    // On the loop all would be done before its next turn.
    expect(turns).toBeGreaterThan(10)
  })
})
