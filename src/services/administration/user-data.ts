import { invalidParam, notFound } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { accountDataBetween } from '../../storage/tables/account-data.js'
import { deviceById, devicesOfUser, type DeviceRow } from '../../storage/tables/devices.js'
import { membershipsOfUser } from '../../storage/tables/memberships.js'
import { profileFieldOfUsers } from '../../storage/tables/profiles.js'
import type { Store, Tx } from '../../storage/tx.js'
import { localUser } from './local-user.js'

/** What the server keeps for a user, as administrators see it. Throws M_INVALID_PARAM, M_NOT_FOUND. */
export interface UserData {
  /** By room id; of users of other servers too, in rooms that this server knows. */
  memberships(userId: string): Promise<JsonObject>
  accountData(userId: string): Promise<JsonObject>
  devices(userId: string): Promise<readonly JsonObject[]>
  device(userId: string, deviceId: string): Promise<JsonObject>
  /** Of those who have one. Pre: at most a thousand users. */
  displayNames(userIds: readonly string[]): Promise<ReadonlyMap<string, Json>>
}

const shown = (row: DeviceRow): JsonObject => ({
  device_id: row.device_id,
  display_name: row.display_name,
  last_seen_ip: row.last_seen_ip,
  last_seen_user_agent: row.last_seen_user_agent,
  last_seen_ts: row.last_seen_ts,
  user_id: row.user_id,
})

export function createUserData(deps: { readonly store: Store; readonly serverName: string }): UserData {
  const { store, serverName } = deps
  const known = (userId: string): Tx<unknown> => localUser(userId, serverName)

  return {
    async memberships(userId) {
      const id = parseUserId(userId)
      if (id === undefined) throw invalidParam('This is not a user id')
      const rows = await store.read('administration.memberships', function* () {
        if (id.domain === serverName) yield* known(userId)
        return yield* membershipsOfUser(userId)
      })
      return Object.fromEntries(rows.map((row) => [row.room_id, row.membership]))
    },

    async accountData(userId) {
      const rows = await store.read('administration.accountData', function* () {
        yield* known(userId)
        return yield* accountDataBetween(userId, 0, Number.MAX_SAFE_INTEGER)
      })
      // Users name types: they are keys of maps.
      const global = new Map<string, Json>()
      const rooms = new Map<string, Map<string, Json>>()
      for (const { room_id: roomId, type, content } of rows) {
        let place = roomId === '' ? global : rooms.get(roomId)
        if (place === undefined) rooms.set(roomId, (place = new Map<string, Json>()))
        place.set(type, JSON.parse(content) as Json)
      }
      return {
        global: Object.fromEntries(global),
        rooms: Object.fromEntries([...rooms].map(([roomId, types]) => [roomId, Object.fromEntries(types)])),
      }
    },

    async devices(userId) {
      const rows = await store.read('administration.devices', function* () {
        yield* known(userId)
        return yield* devicesOfUser(userId)
      })
      return rows.map(shown)
    },

    async displayNames(userIds) {
      const rows = await store.read('administration.names', () =>
        profileFieldOfUsers(userIds, ['displayname']),
      )
      return new Map(rows.map((row) => [row.user_id, JSON.parse(row.value) as Json]))
    },

    async device(userId, deviceId) {
      const row = await store.read('administration.device', function* () {
        yield* known(userId)
        return yield* deviceById(userId, deviceId)
      })
      if (row === undefined) throw notFound('No such device')
      return shown(row)
    },
  }
}
