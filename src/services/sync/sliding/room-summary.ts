import type { Json, JsonObject } from '../../../core/json/value.js'
import { heroesOf, memberCounts } from '../../../storage/tables/own-rooms.js'
import { readState, type RoomsContext } from '../../rooms/context.js'
import { mapKey } from '../../rooms/state-store.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'

const NAME = { type: 'm.room.name', stateKey: '' }
const AVATAR = { type: 'm.room.avatar', stateKey: '' }
const MEMBER = 'm.room.member'

const textIn = (content: JsonObject | undefined, field: string): string | null => {
  const value = content?.[field]
  return typeof value === 'string' && value !== '' ? value : null
}

/**
 * Name, picture, how many members and whom to name the room by: those parts of it that state of these types may have changed;
 * undefined for all, of a room that is new to the client.
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#currently-or-previously-joined-rooms
 */
export async function summaryOf(
  context: RoomsContext,
  room: RoomSnapshot,
  userId: string,
  changedTypes: ReadonlySet<string> | undefined,
  /** Who is not in the room any more is not told who is. */
  withMembers: boolean,
): Promise<{ readonly json: JsonObject; readonly hasNews: boolean }> {
  const changed = (type: string): boolean => changedTypes === undefined || changedTypes.has(type)
  if (![NAME.type, AVATAR.type, MEMBER].some(changed)) return { json: {}, hasNews: false }
  const state = await readState(context, room, [NAME, AVATAR])
  const name = textIn(state.get(mapKey(NAME))?.event.content, 'name')
  const avatar = textIn(state.get(mapKey(AVATAR))?.event.content, 'url')
  const json: Record<string, Json> = {}
  // Of a room that is new to the client what is left out is not set.
  if (changed(NAME.type) && (name !== null || changedTypes !== undefined)) json['name'] = name
  if (changed(AVATAR.type) && (avatar !== null || changedTypes !== undefined)) json['avatar'] = avatar
  if (withMembers && (changed(MEMBER) || changed(NAME.type))) {
    const { joined, invited, heroes } = await context.store.read('sliding.summary', function* () {
      return {
        ...(yield* memberCounts(room.nid)),
        heroes: name === null ? yield* heroesOf(room.nid, userId) : [],
      }
    })
    json['joined_count'] = joined
    json['invited_count'] = invited
    if (name === null) json['heroes'] = await heroViews(context, room, heroes)
  }
  return { json, hasNews: Object.keys(json).length > 0 }
}

async function heroViews(
  context: RoomsContext,
  room: RoomSnapshot,
  heroes: readonly string[],
): Promise<JsonObject[]> {
  const keys = heroes.map((stateKey) => ({ type: MEMBER, stateKey }))
  const members = await readState(context, room, keys)
  return keys.map((key) => {
    const content = members.get(mapKey(key))?.event.content
    const displayname = textIn(content, 'displayname')
    const avatar = textIn(content, 'avatar_url')
    return {
      user_id: key.stateKey,
      ...(displayname === null ? {} : { displayname }),
      ...(avatar === null ? {} : { avatar_url: avatar }),
    }
  })
}
