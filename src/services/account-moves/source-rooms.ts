import { handedOver } from '../../core/access-rules/last-administrator.js'
import { ACCOUNT_MOVE } from '../../core/account-move/move-certificate.js'
import { MatrixError } from '../../core/errors.js'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'
import {
  insertMoveRooms,
  NEVER,
  setMoveRoom,
  type AccountMoveRow,
  type MoveRoomRow,
} from '../../storage/tables/account-moves.js'
import { FederationError, isRetryable } from '../federation/federation-error.js'
import { requesterOf } from '../requester.js'
import { MOVED_FIELD, waitMs, type AccountMovesDeps } from './move-context.js'
import { planRoom, powerBehind, type RoomPlan } from './room-plan.js'
import { MOVE_WORDS } from './words.js'

/** With waits that double up to an hour, about a day. */
const MAX_ATTEMPTS = 30
/** What is refused now is seldom allowed later. */
const MAX_REFUSALS = 4

type Outcome = Pick<MoveRoomRow, 'step' | 'detail'> & {
  /** A room that is to be moved instead. */
  readonly instead?: string
}

/** What is done in the rooms of the old account, by it. */
export interface SourceRooms {
  /** One step in one room, as far as it can be gone now. Post: the room's row says how far. Each step may be gone again. */
  advance(move: AccountMoveRow, row: MoveRoomRow, name: string): Promise<void>
}

export function createSourceRooms(deps: AccountMovesDeps): SourceRooms {
  const { store, clock, context, memberships, sending, options } = deps
  const words = MOVE_WORDS[options.language]

  async function bringIn(move: AccountMoveRow, plan: RoomPlan, name: string): Promise<void> {
    const { old_user: oldUser, new_user: newUser } = move
    const { roomId } = plan.room
    const requester = requesterOf(oldUser)
    if (plan.isDirect && !plan.isTied) {
      const content = JSON.parse(move.certificate!) as JsonObject
      await sending.state(requester, { roomId, type: ACCOUNT_MOVE, stateKey: oldUser, content })
    }
    if (plan.newMembership === 'invite') return
    await memberships.invite(requester, {
      roomId,
      userId: newUser,
      reason: words.invited(name, oldUser),
      ...(plan.isDirect ? { content: { is_direct: true } } : {}),
    })
  }

  /** In words for people; not where everything is encrypted, as a server has no keys: there the invite says it. */
  async function announce(move: AccountMoveRow, plan: RoomPlan, name: string): Promise<void> {
    if (!plan.maySpeak || plan.isEncrypted) return
    await sending.message(requesterOf(move.old_user), {
      roomId: plan.room.roomId,
      type: 'm.room.message',
      txnId: `account-move-${move.nonce!}`,
      content: {
        msgtype: 'm.notice',
        body: words.announced(name, move.new_user),
        [MOVED_FIELD]: move.new_user,
      },
    })
  }

  async function handOver(
    { old_user: oldUser, new_user: newUser }: AccountMoveRow,
    plan: RoomPlan,
  ): Promise<void> {
    if (plan.power !== 'handed-over' && plan.power !== 'creator') return
    const power = { create: plan.create.event, levels: plan.levelsEvent?.event }
    const content = handedOver(power, oldUser, [newUser])
    const before = isObject(content['users']) ? content['users'] : {}
    // One's own power is given away in the same event: there is no moment in which nobody has it, or both have.
    const users = Object.fromEntries(Object.entries(before).filter(([userId]) => userId !== oldUser))
    if (plan.levels.user(newUser) >= Number(ownValue(users, newUser)) && !Object.hasOwn(before, oldUser))
      return
    await sending.state(requesterOf(oldUser), {
      roomId: plan.room.roomId,
      type: 'm.room.power_levels',
      stateKey: '',
      content: { ...content, users },
    })
  }

  async function replace(move: AccountMoveRow, plan: RoomPlan): Promise<string> {
    if (plan.replacement !== undefined) return plan.replacement
    const { replacement_room: made } = await deps.roomUpgrades.upgrade(requesterOf(move.old_user), {
      roomId: plan.room.roomId,
      newVersion: plan.create.event.rules.id,
      additionalCreators: [move.new_user],
    })
    return made
  }

  /** A room that both accounts have made is replaced no more: it is the one that was made instead. */
  const isToReplace = (plan: RoomPlan, newUser: string): boolean =>
    options.upgradeRooms &&
    plan.power === 'creator' &&
    !plan.isDirect &&
    plan.levels.user(newUser) !== Infinity

  /** Undefined: there is nothing to do but to wait. */
  async function step(move: AccountMoveRow, row: MoveRoomRow, name: string): Promise<Outcome | undefined> {
    const { old_user: oldUser, new_user: newUser } = move
    const plan = await planRoom(context, row.room_id, oldUser, newUser)
    if (plan === undefined) return { step: 'left', detail: 'The old account is not in this room any more' }
    const behind = powerBehind(plan, oldUser) ?? null
    if (isToReplace(plan, newUser)) {
      const instead = await replace(move, plan)
      return { step: 'replaced', detail: `This room is replaced by ${instead}`, instead }
    }
    if (plan.newMembership === 'join') {
      await announce(move, plan, name)
      await handOver(move, plan)
      return { step: 'moved', detail: behind }
    }
    if (plan.entrance === 'closed' || plan.entrance === 'alone') {
      await announce(move, plan, name)
      return { step: 'left', detail: plan.why ?? null }
    }
    if (row.step === 'invited' && plan.newMembership !== 'invite')
      return { step: 'left', detail: 'The new account was invited, and is not in the room' }
    await bringIn(move, plan, name)
    return row.step === 'invited' ? undefined : { step: 'invited', detail: null }
  }

  return {
    async advance(move, row, name) {
      let outcome: Outcome | undefined
      let attempts = row.attempts + 1
      try {
        outcome = await step(move, row, name)
        if (outcome?.step === 'invited') attempts = 1
        if (outcome === undefined && attempts > MAX_ATTEMPTS)
          outcome = { step: 'left', detail: 'The new account was invited, and has not joined in time' }
      } catch (error) {
        const failure = failureOf(error)
        if (failure.isFault)
          deps.logger.error(
            { err: error, roomId: row.room_id },
            'a room of an account that moves makes trouble',
          )
        const most = failure.isRefusal ? MAX_REFUSALS : MAX_ATTEMPTS
        if (attempts > most) outcome = { step: 'left', detail: failure.words }
      }
      const isOver = outcome !== undefined && outcome.step !== 'invited'
      const dueTs = isOver ? NEVER : clock.now() + waitMs(options, attempts - 1)
      await store.write('accountMoves.room', function* () {
        yield* setMoveRoom({
          ...row,
          step: outcome?.step ?? row.step,
          detail: outcome === undefined ? row.detail : outcome.detail,
          attempts,
          due_ts: dueTs,
        })
        if (outcome?.instead !== undefined)
          yield* insertMoveRooms(row.move_id, [outcome.instead], clock.now())
      })
    },
  }
}

/** What a server answers that may answer otherwise later. */
const PASSING: ReadonlySet<string> = new Set(['M_UNKNOWN', 'M_LIMIT_EXCEEDED', 'M_UNREACHABLE'])

export interface Failure {
  readonly words: string
  /** The same will hardly be answered otherwise. */
  readonly isRefusal: boolean
  /** Of this program. */
  readonly isFault: boolean
}

/** Why a step failed, in words. */
export function failureOf(error: unknown): Failure {
  if (error instanceof MatrixError)
    return {
      words: `${error.errcode}: ${error.message}`,
      isRefusal: !PASSING.has(error.errcode),
      isFault: false,
    }
  if (error instanceof FederationError)
    return {
      words: error.errcode === undefined ? error.message : `${error.errcode}: ${error.message}`,
      isRefusal: !isRetryable(error),
      isFault: false,
    }
  return { words: 'a fault of this server: its log has more', isRefusal: false, isFault: true }
}
