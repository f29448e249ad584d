import { afterEach, describe, expect, it } from '@jest/globals'
import { all, run } from '../../storage/tx.js'
import { accountsFixture, CONTEXT, type AccountsFixture } from '../accounts/testing.js'
import { manualClock } from '../../platform/clock.js'
import { createTokenCache, type KnownToken } from './token-cache.js'

let fixture: AccountsFixture | undefined
afterEach(async () => {
  await fixture?.close()
  fixture = undefined
})

describe('the deletion of a device', () => {
  it('takes all that belongs to it along, in one transaction', async () => {
    const deleted: string[] = []
    fixture = await accountsFixture(
      {},
      {
        onDeleted: [
          function* (userId, ids) {
            deleted.push(...ids)
            yield* run('INSERT INTO profiles (user_id, field, value) VALUES (?, ?, ?)', userId, 'test', '1')
          },
        ],
      },
    )
    const session = await fixture.user('alice')
    await fixture.devices.delete(session.user_id, [session.device_id, 'NONE', session.device_id])
    expect(deleted).toEqual([session.device_id])
    expect(await fixture.store.read('test', () => all('SELECT * FROM access_tokens'))).toEqual([])
    await expect(fixture.accounts.authenticate(session.access_token, CONTEXT)).rejects.toMatchObject({
      errcode: 'M_UNKNOWN_TOKEN',
    })
  })

  it('does not happen when a part of it fails', async () => {
    fixture = await accountsFixture(
      {},
      {
        onDeleted: [
          // oxlint-disable-next-line require-yield
          function* () {
            throw new Error('keys cannot be deleted')
          },
        ],
      },
    )
    const session = await fixture.user('alice')
    await expect(fixture.devices.delete(session.user_id, [session.device_id])).rejects.toThrow('keys')
    expect(await fixture.devices.list(session.user_id)).toHaveLength(1)
    await fixture.accounts.authenticate(session.access_token, CONTEXT)
  })

  it('is refused for too many at once', async () => {
    fixture = await accountsFixture()
    const ids = Array.from({ length: 1_001 }, (_, n) => `D${n}`)
    await expect(fixture.devices.delete('@a:b', ids)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })
})

describe('the number of devices', () => {
  it('is bounded: a further log-in ends the session that was idle for longest', async () => {
    fixture = await accountsFixture({}, { maxPerUser: 3 })
    const { clock, devices, accounts } = fixture
    const first = await fixture.user('alice')
    for (const deviceId of ['A', 'B']) {
      clock.advance(1_000)
      await fixture.login('alice', { deviceId })
    }
    clock.advance(1_000)
    await accounts.authenticate(first.access_token, CONTEXT)
    await accounts.lastSeen.flush()
    clock.advance(1_000)
    await fixture.login('alice', { deviceId: 'C' })
    const ids = (await devices.list(first.user_id)).map((device) => device.device_id)
    expect(ids).toEqual(['B', 'C', first.device_id].toSorted())
  })
})

describe('the token cache', () => {
  const token = (userId: string, deviceId: string): KnownToken => ({
    requester: {
      userId,
      deviceId,
      isGuest: false,
      isAdmin: false,
      isSuspended: false,
      appserviceId: undefined,
    },
    expiresTs: null,
    locked: false,
    accountExpiresTs: null,
  })

  it('forgets by user and by device, and the least recently used beyond its size', () => {
    const clock = manualClock()
    const cache = createTokenCache(clock, { max: 3, ttlMs: 1_000 })
    cache.put('a', token('@a:x', '1'), cache.epoch)
    cache.put('b', token('@a:x', '2'), cache.epoch)
    cache.put('c', token('@c:x', '1'), cache.epoch)
    cache.get('a')
    cache.put('d', token('@d:x', '1'), cache.epoch)
    expect(cache.get('b')).toBeUndefined()
    expect(cache.size).toBe(3)
    cache.forget('@a:x', ['2'])
    expect(cache.get('a')).toBeDefined()
    cache.forget('@a:x', ['1'])
    expect(cache.get('a')).toBeUndefined()
    cache.forget('@c:x')
    expect(cache.size).toBe(1)
    clock.advance(1_000)
    expect(cache.get('d')).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  it('does not take what was read before something was forgotten', () => {
    const cache = createTokenCache(manualClock())
    const before = cache.epoch
    cache.forget('@a:x')
    cache.put('a', token('@a:x', '1'), before)
    expect(cache.get('a')).toBeUndefined()
  })
})
