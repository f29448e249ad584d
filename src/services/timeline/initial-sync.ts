import { MatrixError } from '../../core/errors.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { Semaphore } from '../../platform/semaphore.js'
import {
  accountDataBetween,
  accountDataOfRooms,
  isNewsSince,
  type AccountDataRow,
} from '../../storage/tables/account-data.js'
import { membershipOf, ownMemberships, type MembershipRow } from '../../storage/tables/memberships.js'
import { roomsByNids } from '../../storage/tables/rooms.js'
import { noticeRoomOf } from '../../storage/tables/notice-rooms.js'
import { ignoredUsersOf } from '../account-data/ignored-users.js'
import { invitePermissionOf } from '../account-data/invite-permission.js'
import type { RoomsContext } from '../rooms/context.js'
import type { ClientViews, Viewer } from './client-view.js'
import type { History } from './history.js'
import { syncToken } from './tokens.js'

/** The deprecated view of everything at once, and that of one room, which is still there for who looks into a room from outside. */
export interface InitialSync {
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3initialsync */
  all(
    viewer: Viewer,
    input: { readonly limit?: number | undefined; readonly archived: boolean },
  ): Promise<JsonObject>
  /**
   * Throws M_FORBIDDEN for rooms that the user is not and was not in, unless anybody may read them.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync
   */
  room(viewer: Viewer, roomId: string): Promise<JsonObject>
}

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100

interface Place {
  readonly pos: number
  readonly token: string
}

const dataEvent = (row: AccountDataRow): JsonObject => ({
  type: row.type,
  content: JSON.parse(row.content) as JsonObject,
})

export function createInitialSync(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly history: Pick<History, 'messages' | 'state'>
  /** Bounds how many are computed at once. */
  readonly gate: Semaphore
}): InitialSync {
  const { context, views, history } = deps
  const { store } = context

  /** Read before everything else: who goes on from there misses nothing. */
  async function here(): Promise<Place> {
    const pos = await store.position()
    return { pos, token: syncToken({ pos, ephemeral: 0, toDevice: 0 }) }
  }

  async function messages(
    viewer: Viewer,
    roomId: string,
    limit: number,
    { token }: Place,
  ): Promise<JsonObject> {
    if (limit === 0) return { end: token, chunk: [] }
    const page = await history.messages(viewer, { roomId, dir: 'b', from: token, limit, localOnly: true })
    const start = page['end']
    return {
      chunk: (page['chunk'] as readonly Json[]).toReversed(),
      end: token,
      ...(start === undefined ? {} : { start }),
    }
  }

  /** Throws M_FORBIDDEN. */
  async function inside(
    viewer: Viewer,
    room: { readonly id: string; readonly isPublished: boolean },
    membership: string | undefined,
    limit: number,
    place: Place,
  ): Promise<JsonObject> {
    const state = await history.state(viewer, room.id)
    const data = await store.read('timeline.roomData', () =>
      accountDataOfRooms(viewer.userId, [room.id], place.pos),
    )
    return {
      room_id: room.id,
      ...(membership === undefined ? {} : { membership }),
      messages: await messages(viewer, room.id, limit, place),
      state,
      visibility: room.isPublished ? 'public' : 'private',
      account_data: data.filter((row) => isNewsSince(row, 0)).map(dataEvent),
    }
  }

  /** The invitation, of this server's own rooms or as the inviting server told it. */
  async function invitation(
    viewer: Viewer,
    roomId: string,
    row: MembershipRow,
  ): Promise<JsonObject | undefined> {
    if (row.event_nid !== null) {
      const event = (await context.events.byNids([row.event_nid])).get(row.event_nid)
      return event === undefined ? undefined : (await views.view([event], viewer))[0]
    }
    const stripped = row.stripped_state === null ? [] : (JSON.parse(row.stripped_state) as Json)
    const own = (Array.isArray(stripped) ? (stripped as readonly Json[]) : []).find(
      (item) => isObject(item) && item['type'] === 'm.room.member' && item['state_key'] === viewer.userId,
    )
    return isObject(own) ? { ...own, room_id: roomId } : undefined
  }

  async function roomOf(
    viewer: Viewer,
    row: MembershipRow & { readonly room_id: string; readonly published: number },
    limit: number,
    place: Place,
  ): Promise<JsonObject | undefined> {
    if (row.membership === 'invite') {
      const invite = await invitation(viewer, row.room_id, row)
      return { room_id: row.room_id, membership: 'invite', ...(invite === undefined ? {} : { invite }) }
    }
    const room = { id: row.room_id, isPublished: row.published === 1 }
    try {
      return await inside(viewer, room, row.membership, limit, place)
    } catch (error) {
      // An invitation that was refused, or a ban of somebody outside: there is nothing to show.
      if (error instanceof MatrixError) return undefined
      throw error
    }
  }

  return {
    all: (viewer, input) =>
      deps.gate.run(async () => {
        const limit = Math.min(Math.max(0, input.limit ?? DEFAULT_LIMIT), MAX_LIMIT)
        const place = await here()
        const { own, ignored, invites, noticeRoom, data } = await store.read(
          'timeline.initialSync',
          function* () {
            return {
              own: yield* ownMemberships(
                viewer.userId,
                input.archived ? ['join', 'invite', 'leave', 'ban'] : ['join', 'invite'],
              ),
              ignored: yield* ignoredUsersOf(viewer.userId),
              invites: yield* invitePermissionOf(viewer.userId),
              noticeRoom: yield* noticeRoomOf(viewer.userId),
              data: yield* accountDataBetween(viewer.userId, 0, place.pos),
            }
          },
        )
        const rooms: JsonObject[] = []
        for (const row of own) {
          const isUnwanted =
            row.room_id !== noticeRoom && (ignored.has(row.sender) || invites.of(row.sender) !== 'allow')
          if (row.membership === 'invite' && isUnwanted) continue
          const room = await roomOf(viewer, row, limit, place)
          if (room !== undefined) rooms.push(room)
        }
        return {
          end: place.token,
          rooms,
          presence: [],
          account_data: data.filter((row) => row.room_id === '').map(dataEvent),
        }
      }),

    room: (viewer, roomId) =>
      deps.gate.run(async () => {
        const place = await here()
        const known = await context.loader.load(roomId)
        const found =
          known === undefined
            ? undefined
            : await store.read('timeline.roomInitialSync', function* () {
                return {
                  row: yield* membershipOf(known.nid, viewer.userId),
                  rooms: yield* roomsByNids([known.nid]),
                }
              })
        const isPublished = found?.rooms[0]?.published === 1
        return inside(viewer, { id: roomId, isPublished }, found?.row?.membership, DEFAULT_LIMIT, place)
      }),
  }
}
