import { describe, expect, it } from '@jest/globals'
import { eventually, logIn, startSync, v3, type User } from '../harness/client.js'
import type { Pair } from './pair.js'
import { hostedRoom, join, rolesOf, SIDES, tells } from './room.js'

const WAIT_MS = 20_000

export interface DeviceKeys {
  readonly keys: Readonly<Record<string, string>>
  readonly device_id: string
  readonly unsigned?: { readonly device_display_name?: string }
}

/** Keys that no client would trust, which servers do not look into. */
export const uploadDevice = (user: User, key: string, oneTimeKeys = {}): Promise<unknown> =>
  user.ok('POST', v3('/keys/upload'), {
    device_keys: {
      user_id: user.userId,
      device_id: user.deviceId,
      algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
      keys: { [`curve25519:${user.deviceId}`]: key, [`ed25519:${user.deviceId}`]: key },
      signatures: { [user.userId]: { [`ed25519:${user.deviceId}`]: key } },
    },
    one_time_keys: oneTimeKeys,
  })

/** Waits until the viewer gets keys of the other's device that are as wanted. */
export const deviceKeys = (viewer: User, of: User, wanted: (keys: DeviceKeys) => boolean): Promise<DeviceKeys> =>
  eventually(
    `${viewer.userId} gets the keys of ${of.userId}`,
    async () => {
      const answer = await viewer.ok('POST', v3('/keys/query'), { device_keys: { [of.userId]: [] } })
      const keys = answer.device_keys?.[of.userId]?.[of.deviceId] as DeviceKeys | undefined
      return keys !== undefined && wanted(keys) ? keys : undefined
    },
    WAIT_MS,
  ) // prettier-ignore

export function deviceScenarios(pair: () => Pair): void {
  describe.each(SIDES)('devices of a user of %s, as the other server has them', (hostName) => {
    it('have keys, one-time keys in the order of their upload, and get messages', async () => {
      const roles = rolesOf(pair(), hostName)
      const [owner, viewer] = [await roles.host.user('devices'), roles.guest.first]
      const roomId = await hostedRoom(roles, '11')
      await join(owner, roomId, roles.host)
      await join(viewer, roomId, roles.host)
      const signed = (key: string): object => ({
        key,
        signatures: { [owner.userId]: { [`ed25519:${owner.deviceId}`]: 'y' } },
      })
      await uploadDevice(owner, 'first', { 'signed_curve25519:A': signed('one') })
      await owner.ok('POST', v3('/keys/upload'), {
        fallback_keys: { 'signed_curve25519:F': { ...signed('last'), fallback: true } },
      })
      await deviceKeys(viewer, owner, (keys) => keys.keys[`curve25519:${owner.deviceId}`] === 'first')
      const claim = async (): Promise<Record<string, { key: string }>> => {
        const answer = await viewer.ok('POST', v3('/keys/claim'), {
          one_time_keys: { [owner.userId]: { [owner.deviceId]: 'signed_curve25519' } },
        })
        return answer.one_time_keys[owner.userId][owner.deviceId]
      }
      expect((await claim())['signed_curve25519:A']!.key).toBe('one')
      expect((await claim())['signed_curve25519:F']!.key).toBe('last')
      const sync = await startSync(owner)
      await viewer.ok('PUT', v3('/sendToDevice/m.test/there'), {
        messages: { [owner.userId]: { [owner.deviceId]: { hello: 'device' } } },
      })
      expect(await sync.until('the message', (answer) => answer.to_device?.events?.[0], WAIT_MS)).toEqual({
        sender: viewer.userId,
        type: 'm.test',
        content: { hello: 'device' },
      })
    })

    it('come, change and go, and each change is told', async () => {
      const roles = rolesOf(pair(), hostName)
      const [owner, viewer] = [await roles.host.user('lists'), roles.guest.first]
      const roomId = await hostedRoom(roles, '10')
      await join(viewer, roomId, roles.host)
      await join(owner, roomId, roles.host)
      await tells(owner, viewer, roomId, 'here')
      const sync = await startSync(viewer)
      const told = (what: string): Promise<unknown> =>
        sync.until(
          what,
          (answer) => (answer.device_lists?.changed ?? []).includes(owner.userId) || undefined,
          WAIT_MS,
        )
      await uploadDevice(owner, 'first')
      await told('the first device')
      await deviceKeys(viewer, owner, (keys) => keys.keys[`curve25519:${owner.deviceId}`] === 'first')
      const second = await logIn(owner)
      await uploadDevice(second, 'second')
      await told('the second device')
      await deviceKeys(viewer, second, (keys) => keys.keys[`curve25519:${second.deviceId}`] === 'second')
      await second.ok('POST', v3('/logout'))
      await told('the end of the second device')
      await eventually('the second device is gone', async () => {
        const answer = await viewer.ok('POST', v3('/keys/query'), { device_keys: { [owner.userId]: [] } })
        return answer.device_keys[owner.userId][second.deviceId] === undefined
      })
    })

    it('are crossed with the signing keys of their user', async () => {
      const roles = rolesOf(pair(), hostName)
      const [owner, viewer] = [await roles.host.user('crossed'), roles.guest.first]
      const roomId = await hostedRoom(roles, '10')
      await join(viewer, roomId, roles.host)
      await join(owner, roomId, roles.host)
      await tells(owner, viewer, roomId, 'here')
      await uploadDevice(owner, 'first')
      const master = 'nqOvzeuGWT/sRx3h7+MHoInYj3Uk2LD/unI9kDYcHwk'
      const key = (usage: string, name: string): object => ({
        user_id: owner.userId,
        usage: [usage],
        keys: { [`ed25519:${name}`]: name },
      })
      const auth = { type: 'm.login.password', password: owner.password, identifier: { type: 'm.id.user', user: owner.userId } } // prettier-ignore
      await owner.ok('POST', v3('/keys/device_signing/upload'), { master_key: key('master', master), auth })
      await eventually(
        'the master key',
        async () => {
          const answer = await viewer.ok('POST', v3('/keys/query'), { device_keys: { [owner.userId]: [] } })
          return answer.master_keys?.[owner.userId]?.keys[`ed25519:${master}`] === master
        },
        WAIT_MS,
      )
    })
  })
}
