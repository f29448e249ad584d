import { expect } from '@jest/globals'
import { call, logIn, type User } from '../harness/client.js'
import { refusal, section, v3 } from '../harness/section.js'

const ids = async (user: User): Promise<string[]> =>
  (await user.ok('GET', v3('/devices'))).devices
    .map((device: { device_id: string }) => device.device_id)
    .sort()
const auth = (user: User, password = user.password): object => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: user.userId },
  password,
})

section('Device management', 'client-server-api/#device-management', (operation) => {
  operation('getDevices', 'GET /_matrix/client/v3/devices', ({ success }) => {
    success('lists the user’s devices, and nobody else’s', async (server) => {
      const alice = await server.user('alice')
      await server.user('bob')
      const other = await logIn(alice)
      const { devices } = await alice.ok('GET', v3('/devices'))
      expect(devices.map((device: { device_id: string }) => device.device_id).sort()).toEqual(
        [alice.deviceId, other.deviceId].sort(),
      )
      await alice.ok('PUT', v3(`/devices/${other.deviceId}`), { display_name: 'the tablet' })
      const named = (await alice.ok('GET', v3('/devices'))).devices
      expect(
        named.find((device: { device_id: string }) => device.device_id === other.deviceId).display_name,
      ).toBe('the tablet')
      expect(!named[0].last_seen_ts || named[0].last_seen_ts > 1e12).toBe(true)
    })
  })
  operation('getDevice', 'GET /_matrix/client/v3/devices/{deviceId}', ({ success, error }) => {
    success('tells of one device', async (server) => {
      const alice = await server.user('alice')
      await alice.ok('PUT', v3(`/devices/${alice.deviceId}`), { display_name: 'the laptop' })
      expect(await alice.ok('GET', v3(`/devices/${alice.deviceId}`))).toMatchObject({
        device_id: alice.deviceId,
        display_name: 'the laptop',
      })
    })
    error('knows no devices of others', async (server) => {
      const alice = await server.user('alice')
      const bob = await server.user('bob')
      await refusal(alice.call('GET', v3('/devices/NONE')), 404, 'M_NOT_FOUND')
      await refusal(alice.call('GET', v3(`/devices/${bob.deviceId}`)), 404, 'M_NOT_FOUND')
    })
  })
  operation('updateDevice', 'PUT /_matrix/client/v3/devices/{deviceId}', ({ success, error }) => {
    success('names a device', async (server) => {
      const alice = await server.user('alice')
      await alice.ok('PUT', v3(`/devices/${alice.deviceId}`), { display_name: 'new name' })
      expect((await alice.ok('GET', v3(`/devices/${alice.deviceId}`))).display_name).toBe('new name')
    })
    error('refuses what is no name, and devices of others', async (server) => {
      const alice = await server.user('alice')
      const bob = await server.user('bob')
      const body = { display_name: 'x' }
      await refusal(alice.call('PUT', v3('/devices/NONE'), { body }), 404, 'M_NOT_FOUND')
      await refusal(alice.call('PUT', v3(`/devices/${bob.deviceId}`), { body }), 404, 'M_NOT_FOUND')
      await refusal(
        alice.call('PUT', v3(`/devices/${alice.deviceId}`), { body: { display_name: 7 } }),
        400,
        'M_BAD_JSON',
        'M_INVALID_PARAM',
      )
      expect((await bob.ok('GET', v3(`/devices/${bob.deviceId}`))).display_name).not.toBe('x')
    })
  })
  operation('deleteDevice', 'DELETE /_matrix/client/v3/devices/{deviceId}', ({ success, authorisation }) => {
    success('removes a device and its session, with the password', async (server) => {
      const alice = await server.user('alice')
      const other = await logIn(alice)
      const path = v3(`/devices/${other.deviceId}`)
      await alice.ok('DELETE', path, { auth: auth(alice) })
      await refusal(alice.call('GET', path), 404, 'M_NOT_FOUND')
      await refusal(other.call('GET', v3('/account/whoami')), 401, 'M_UNKNOWN_TOKEN')
      expect(await ids(alice)).toEqual([alice.deviceId])
    })
    authorisation('asks for the password', async (server) => {
      const alice = await server.user('alice')
      const other = await logIn(alice)
      const path = v3(`/devices/${other.deviceId}`)
      const challenge = await alice.call('DELETE', path, { body: {} })
      expect([challenge.status, typeof challenge.body.session]).toEqual([401, 'string'])
      const wrong = await alice.call('DELETE', path, { body: { auth: auth(alice, 'wrong') } })
      expect([wrong.status, wrong.body.errcode]).toEqual([401, 'M_FORBIDDEN'])
      expect(await ids(alice)).toHaveLength(2)
    })
  })
  operation(
    'deleteDevices',
    'POST /_matrix/client/v3/delete_devices',
    ({ success, authorisation, error }) => {
      success('removes several devices', async (server) => {
        const alice = await server.user('alice')
        const others = [await logIn(alice), await logIn(alice)]
        const devices = others.map((other) => other.deviceId)
        await alice.ok('POST', v3('/delete_devices'), { devices, auth: auth(alice) })
        expect(await ids(alice)).toEqual([alice.deviceId])
        for (const other of others)
          await refusal(other.call('GET', v3('/account/whoami')), 401, 'M_UNKNOWN_TOKEN')
      })
      authorisation('asks for the password, and leaves devices of others alone', async (server) => {
        const alice = await server.user('alice')
        const bob = await server.user('bob')
        const body = { devices: [bob.deviceId] }
        expect((await alice.call('POST', v3('/delete_devices'), { body })).status).toBe(401)
        await alice.call('POST', v3('/delete_devices'), { body: { ...body, auth: auth(alice) } })
        expect((await call(server.url, 'GET', v3('/account/whoami'), { token: bob.token })).status).toBe(200)
      })
      error('wants a list', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('POST', v3('/delete_devices'), { body: { devices: 'x', auth: auth(alice) } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
      })
    },
  )
})
