import { checkAccess, judgeCreators, needsPeople } from '../../core/access-rules/check-access.js'
import { isExternal, type AccessPolicy } from '../../core/access-rules/access-policy.js'
import type { AccessState, AccessStateEvent } from '../../core/access-rules/access-state.js'
import { ACCESS_RULES, roomAccess } from '../../core/access-rules/room-access.js'
import { ACCOUNT_MOVE } from '../../core/account-move/move-certificate.js'
import { MatrixError } from '../../core/errors.js'
import { ALLOW, refuse, type Refusal, type RoomEvent, type Verdict } from '../../core/event/types.js'
import type { JsonObject } from '../../core/json/value.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { StateKey } from './state-store.js'
import type { StoredEvent } from './stored-event.js'
import { eventsByNids, mapKey, stateEvents, type RoomReaders, type WorkingRoom } from './working-room.js'

/** Accounts in a direct room that are looked at: two people, with all that they had before they changed ministry. */
const PEOPLE = 18
/** Keys of a state that are looked at together. */
const KEYS = 200

/** A refusal in words that a helpdesk can read out, and under a name that it can look up: `reason`. */
export const accessRefused = ({ rule, reason }: Refusal): MatrixError =>
  new MatrixError('M_FORBIDDEN', reason, { reason: rule }, 403)

/** External accounts wait to be invited, and ask nobody. Throws M_FORBIDDEN. */
export function refuseExternalKnock(access: AccessPolicy | undefined, userId: string): void {
  if (access !== undefined && isExternal(userId, access) && !access.bypasses(userId))
    throw accessRefused(
      refuse('access.external.uninvited', 'External accounts can join a room by invite only'),
    )
}

/** Throws M_FORBIDDEN where an access rule is what rejected an event. */
export function refuseWhereAccessRejects({ rejected }: Pick<StoredEvent, 'rejected'>, words: string): void {
  if (rejected?.startsWith('access.') === true) throw accessRefused(refuse(rejected, words))
}

/** Judges an event by the access rules against a state of its room. Reads little where they do not concern it. */
export async function judgeAccess(
  room: WorkingRoom,
  event: RoomEvent,
  root: NodeName | undefined,
  readers: RoomReaders,
  policy: AccessPolicy,
): Promise<Verdict> {
  if (event.stateKey === undefined && event.redacts === undefined) return ALLOW
  const keys: StateKey[] = [ACCESS_RULES, LEVELS]
  if (event.type === 'm.room.member') keys.push({ type: event.type, stateKey: event.stateKey ?? '' })
  if (event.type === ACCOUNT_MOVE && event.stateKey !== undefined)
    keys.push({ type: event.type, stateKey: event.stateKey })
  if (LINK.includes(event.type)) keys.push(...LINK.map((type) => ({ type, stateKey: '' })))
  const found = root === undefined ? new Map<string, never>() : await stateEvents(room, keys, readers, root)
  const get = (type: string, stateKey: string): RoomEvent | undefined =>
    found.get(mapKey({ type, stateKey }))?.event
  const people =
    root !== undefined && needsPeople(event, roomAccess(get(ACCESS_RULES.type, '')?.content))
      ? await peopleOf(room, root, readers)
      : NOBODY
  return checkAccess(event, { get, ...people }, policy)
}

/** What is looked at together where a room is opened to everybody who knows its address. */
const LINK: readonly string[] = ['m.room.join_rules', 'm.room.guest_access']
const LEVELS: StateKey = { type: 'm.room.power_levels', stateKey: '' }
type People = Pick<AccessState, 'members' | 'addressInvites' | 'moves'>
const NOBODY: People = { members: [], addressInvites: [], moves: [] }

/** Direct rooms have little state. A large room that would become one is not read further than to more accounts than two people can have. */
async function peopleOf(room: WorkingRoom, root: NodeName, readers: RoomReaders): Promise<People> {
  const all = [...(await readers.states.all(room.base.nid, root, room.nodes))]
  const members: number[] = []
  const addressInvites: number[] = []
  const moves: number[] = []
  for (let i = 0; i < all.length && members.length < PEOPLE; i += KEYS) {
    const some = all.slice(i, i + KEYS)
    const keys = await readers.states.keysOf(some.map(([key]) => key))
    for (const [key, nid] of some) {
      const type = keys.get(key)?.type
      if (type === 'm.room.member') members.push(nid)
      if (type === 'm.room.third_party_invite') addressInvites.push(nid)
      if (type === ACCOUNT_MOVE) moves.push(nid)
    }
  }
  const eventsOf = async (nids: readonly number[]): Promise<RoomEvent[]> =>
    [...(await eventsByNids(room, nids, readers)).values()].map((stored) => stored.event)
  return {
    members: await eventsOf(members.slice(0, PEOPLE)),
    addressInvites: await eventsOf(addressInvites),
    moves: await eventsOf(moves.slice(0, PEOPLE)),
  }
}

/**
 * The same of an event of ours, against the current state. That a room is public, or without encryption for good, is said when it is made and not
 * after, which only the user's own server can tell: to others both look alike.
 */
export async function judgeOwnAccess(
  room: WorkingRoom,
  event: RoomEvent,
  readers: RoomReaders,
  policy: AccessPolicy,
): Promise<Verdict> {
  const isMade = room.base.root !== undefined
  if (isMade && event.type === ACCESS_RULES.type && event.stateKey === '' && !policy.bypasses(event.sender)) {
    const { visibility, unencrypted } = roomAccess(event.content)
    const present = await stateEvents(room, [ACCESS_RULES], readers)
    if (present.size === 0 && (visibility === 'public' || unencrypted))
      return refuse(
        'access.rule.late',
        'Whether a room is public, and without encryption, is settled when it is created',
      )
  }
  return judgeAccess(room, event, room.root, readers, policy)
}

/**
 * An invite to a room that this server is not in, by what its state is said to be. A room that shows no rules is restricted.
 * Pre: `shown` is stripped state.
 */
export function judgeShown(
  event: RoomEvent,
  shown: readonly JsonObject[],
  policy: AccessPolicy | undefined,
): Verdict {
  if (policy === undefined) return ALLOW
  const find = (type: string, stateKey: string): AccessStateEvent | undefined => {
    const item = shown.find((one) => one['type'] === type && one['state_key'] === stateKey)
    return item === undefined
      ? undefined
      : { sender: item['sender'] as string, stateKey, content: item['content'] as JsonObject }
  }
  const create = find('m.room.create', '')
  if (create !== undefined) {
    const made = judgeCreators({ ...create, rules: event.rules }, policy)
    if (!made.ok) return made
  }
  return checkAccess(event, { get: find, ...NOBODY }, policy)
}
