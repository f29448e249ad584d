import { describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import {
  createSigner, generateSigningKey, publicKey, readKeyFile, verifySignature, writeKeyFile,
} from '../../platform/ed25519.js' // prettier-ignore
import { systemRandom } from '../../platform/random.js'
import { createOwnKeys, type OwnKeys } from './own-keys.js'

const bytes = new TextEncoder().encode('something signed')
const first = generateSigningKey(systemRandom, 'first')

function keysOf(text = writeKeyFile(first)) {
  const file = { text, fault: undefined as Error | undefined }
  const clock = manualClock()
  const open = (configured: Parameters<typeof createOwnKeys>[0]['configured'] = []): OwnKeys =>
    createOwnKeys({
      file: {
        read: () => Promise.resolve(file.text),
        async replace(next) {
          await Promise.resolve()
          if (file.fault !== undefined) throw file.fault
          file.text = next
        },
      },
      text: file.text,
      configured,
      clock,
      random: systemRandom,
    })
  return { file, clock, open, keys: open() }
}

describe('a rotation of the key', () => {
  it('lets another key sign at once, and names the one of before with the end of its use', async () => {
    const { keys, clock } = keysOf()
    const { signer } = keys
    const before = { keyId: signer.keyId, publicKey: signer.publicKey }
    const done = await keys.rotate()
    expect([signer.keyId, signer.publicKey]).toEqual([done.keyId, done.publicKey])
    expect(done.keyId).not.toBe(before.keyId)
    expect(verifySignature(publicKey(done.publicKey)!, bytes, signer.sign(bytes))).toBe(true)
    expect(verifySignature(publicKey(before.publicKey)!, bytes, signer.sign(bytes))).toBe(false)
    expect(keys.retired()).toEqual([{ ...before, expiredTs: expect.any(Number) }])
    // What is signed while the file is written still counts; what is signed an hour later does not.
    expect(keys.retired()[0]!.expiredTs).toBeGreaterThan(clock.now())
    expect(keys.retired()[0]!.expiredTs).toBeLessThan(clock.now() + 3_600_000)
  })

  it('is in the file, without the secret of before, when it is told', async () => {
    const { keys, file, open } = keysOf()
    const one = await keys.rotate()
    const two = await keys.rotate()
    expect(file.text).not.toContain(Buffer.from(first.seed).toString('base64').slice(0, 20))
    const again = open()
    expect(again.signer.keyId).toBe(two.keyId)
    expect(again.retired().map(({ keyId }) => keyId)).toEqual([one.keyId, 'ed25519:first'])
    expect(again.retired()).toEqual(keys.retired())
  })

  it('takes turns: of two at once each leaves a key behind', async () => {
    const { keys } = keysOf()
    const [one, two] = await Promise.all([keys.rotate(), keys.rotate()])
    expect(two.retired.keyId).toBe(one.keyId)
    expect(keys.retired()).toHaveLength(2)
  })

  it('changes nothing where the file cannot be replaced, and the next one works', async () => {
    const { keys, file } = keysOf()
    file.fault = Object.assign(new Error('no'), { code: 'EROFS' })
    await expect(keys.rotate()).rejects.toThrow('EROFS')
    expect([keys.signer.keyId, keys.retired()]).toEqual(['ed25519:first', []])
    file.fault = undefined
    await keys.rotate()
    expect(keys.retired()).toHaveLength(1)
  })

  it('is refused where somebody has put another key into the file since the start', async () => {
    const { keys, file } = keysOf()
    for (const text of [writeKeyFile(generateSigningKey(systemRandom, 'first')), 'no key', '']) {
      file.text = text
      await expect(keys.rotate()).rejects.toThrow('restart the node first')
      expect(file.text).toBe(text)
    }
  })

  it('takes the key that it is given, unless the key or its id was in use before', async () => {
    const { keys, open } = keysOf()
    const next = generateSigningKey(systemRandom, 'second')
    expect(await keys.rotate(writeKeyFile(next))).toMatchObject({
      keyId: 'ed25519:second',
      publicKey: createSigner(next).publicKey,
    })
    const refused = [
      writeKeyFile(next),
      writeKeyFile(first),
      writeKeyFile({ ...first, version: 'third' }),
      writeKeyFile(generateSigningKey(systemRandom, 'first')),
      'ed25519 x y',
    ]
    for (const text of refused) await expect(keys.rotate(text)).rejects.toThrow()
    const old = createSigner(generateSigningKey(systemRandom, 'configured'))
    const configured = open([{ keyId: old.keyId, publicKey: old.publicKey, expiredTs: 5 }])
    expect(configured.retired().map(({ keyId }) => keyId)).toEqual(['ed25519:first', 'ed25519:configured'])
    const same = writeKeyFile(generateSigningKey(systemRandom, 'configured'))
    await expect(configured.rotate(same)).rejects.toThrow('has signed before')
  })

  it('ends where no more keys can be published', async () => {
    const { keys, file } = keysOf()
    for (let i = 0; i < 60; i++) await keys.rotate()
    const { text } = file
    await expect(keys.rotate()).rejects.toThrow('60 keys')
    expect(file.text).toBe(text)
    expect(readKeyFile(text).retired).toHaveLength(60)
  })
})
