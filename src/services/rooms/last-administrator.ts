import { isExternal } from '../../core/access-rules/access-policy.js'
import {
  ADMINISTRATOR,
  administratorsOf,
  handedOver,
  moderatorsOf,
  type LastAdministratorRule,
  type PowerState,
} from '../../core/access-rules/last-administrator.js'
import { ACCESS_RULES, accessRuleIn } from '../../core/access-rules/room-access.js'
import { refuse } from '../../core/event/types.js'
import { powerLevelsOf } from '../../core/auth/power-levels.js'
import { longestMembers } from '../../storage/tables/room-members-by-age.js'
import { accessRefused } from './access.js'
import { addLocalEvent } from './add-local-event.js'
import type { RoomsContext } from './context.js'
import { prepareLocalEvent, type Draft } from './local-event.js'
import { CREATE, POWER_LEVELS } from './room-power.js'
import { mapKey, membershipIn, stateEvents, type WorkingRoom } from './working-room.js'

type Deps = Pick<RoomsContext, 'store' | 'logger' | 'local'>

/** People who get the powers where nobody has any: the room must be able to hold their names. */
const MAX_HEIRS = 50
/** Memberships that are looked at together. */
const KEYS = 200

/**
 * Before somebody leaves a room by an event of theirs. Where nobody else administers it, they are refused (M_FORBIDDEN), or those get their powers who have the
 * most; where nobody has any, those who have been there longest. External people get none; a direct conversation needs nobody. `isForGood`: the account
 * goes, so that it cannot be kept.
 *
 * NOTSPEC: a room without an administrator can be mended by nobody.
 */
export async function careForRoom(
  room: WorkingRoom,
  leaving: Draft & { readonly stateKey: string },
  rule: LastAdministratorRule,
  isForGood: boolean,
  deps: Deps,
): Promise<void> {
  if (rule === 'allow') return
  const userId = leaving.stateKey
  const state = await powerStateOf(room, deps)
  if (powerLevelsOf(state.create, state.levels).user(userId) < ADMINISTRATOR) return
  const found = await stateEvents(room, [ACCESS_RULES, memberKey(userId)], deps.local.readers)
  if (membershipIn(found.get(mapKey(memberKey(userId)))) !== 'join') return
  const rules = found.get(mapKey(ACCESS_RULES))
  if (rules !== undefined && accessRuleIn(rules.event.content) === 'direct') return
  const others = administratorsOf(state)?.filter((other) => other !== userId)
  if (others === undefined || (await presentAmong(room, others, deps)).length > 0) return
  const heirs = await heirsOf(room, state, userId, deps)
  if (heirs.length === 0) return
  if (rule === 'refuse' && !isForGood) {
    const { event } = await prepareLocalEvent(room, leaving, deps.local)
    deps.local.onPolicyRefusal?.({ event, rule: LEFT })
    throw accessRefused(refuse(LEFT, WORDS))
  }
  const content = handedOver(state, userId, heirs)
  await addLocalEvent(room, { ...POWER_LEVELS, sender: userId, content }, deps.local)
  deps.logger.info(
    { roomId: room.roomId, userId, heirs: heirs.slice(0, 10) },
    'the powers of the last administrator of a room were handed over',
  )
}

/** Before levels are set: nobody may take the last administrator's powers from themselves. Throws M_FORBIDDEN. */
export async function refuseWithoutAdministrator(
  room: WorkingRoom,
  draft: Draft,
  rule: LastAdministratorRule,
  deps: Deps,
): Promise<void> {
  if (rule === 'allow' || draft.type !== 'm.room.power_levels' || draft.stateKey !== '') return
  const state = await powerStateOf(room, deps)
  const now = administratorsOf(state)
  if (now === undefined || (await presentAmong(room, now, deps)).length === 0) return
  const prepared = await prepareLocalEvent(room, draft, deps.local)
  const then = administratorsOf({ ...state, levels: prepared.event })
  if (then === undefined || (await presentAmong(room, then, deps)).length > 0) return
  deps.local.onPolicyRefusal?.({ event: prepared.event, rule: DEMOTED })
  throw accessRefused(
    refuse(DEMOTED, 'The room would have no administrator: give somebody else the power first'),
  )
}

const LEFT = 'access.last_administrator'
const DEMOTED = 'access.last_administrator.levels'
const WORDS =
  'You are the last administrator of this room: give somebody else the power to administer it, then leave'

const memberKey = (userId: string) => ({ type: 'm.room.member', stateKey: userId })

async function powerStateOf(room: WorkingRoom, { local }: Deps): Promise<PowerState> {
  const found = await stateEvents(room, [CREATE, POWER_LEVELS], local.readers)
  return { create: found.get(mapKey(CREATE))?.event, levels: found.get(mapKey(POWER_LEVELS))?.event }
}

/** Those of the users who are in the room or invited to it. */
async function presentAmong(
  room: WorkingRoom,
  userIds: readonly string[],
  { local }: Deps,
  memberships: readonly string[] = ['join', 'invite'],
): Promise<string[]> {
  const present: string[] = []
  for (let i = 0; i < userIds.length; i += KEYS) {
    const some = userIds.slice(i, i + KEYS)
    const members = await stateEvents(room, some.map(memberKey), local.readers)
    for (const userId of some)
      if (memberships.includes(membershipIn(members.get(mapKey(memberKey(userId)))) ?? ''))
        present.push(userId)
  }
  return present
}

async function heirsOf(
  room: WorkingRoom,
  state: PowerState,
  userId: string,
  deps: Deps,
): Promise<readonly string[]> {
  const { access } = deps.local
  const isEligible = (other: string): boolean =>
    other !== userId && (access === undefined || !isExternal(other, access))
  for (const group of moderatorsOf(state)) {
    const present = await presentAmong(room, group.filter(isEligible), deps)
    if (present.length > 0) return present.slice(0, MAX_HEIRS)
  }
  const oldest = await deps.store.read('rooms.longestMembers', () =>
    longestMembers(room.base.nid, MAX_HEIRS * 2),
  )
  // What the room's turn has done before is not in the database yet.
  return (await presentAmong(room, oldest.filter(isEligible), deps, ['join'])).slice(0, MAX_HEIRS)
}
