import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import * as rows from '../../storage/tables/admin-bot.js'
import { localMembers, membershipOf } from '../../storage/tables/memberships.js'
import { activeAdministrators } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import { ensureOwnAccount } from '../accounts/own-account.js'
import { requesterOf } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import type { RoomCreation } from '../rooms/create-room.js'
import type { Memberships } from '../rooms/membership.js'

/** The room in which the bot is commanded. It is in no other. */
export interface BotRoom {
  readonly roomId: string
  readonly nid: number
}

export interface BotRoomDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly context: Pick<RoomsContext, 'loader'>
  readonly roomCreation: Pick<RoomCreation, 'create'>
  readonly memberships: Pick<Memberships, 'invite' | 'kick'>
  /** Whether an application service may act as the user: what it says is not the user's own word. */
  isBridged(userId: string): boolean
  readonly options: {
    readonly userId: string
    readonly displayName: string
    readonly roomName: string
    /** Those of the administrators who may command; empty: all. */
    readonly people: readonly string[]
  }
}

export interface BotRooms {
  /** The bot's room; made where there is none, with the bot's account. Throws where the account is somebody's. */
  ready(): Promise<BotRoom>
  /** Those who may command at this moment. */
  commanders(): Promise<ReadonlySet<string>>
  /**
   * Post: nobody is in the room, or invited, who may not command; those who may are invited, but who left by themselves: these only at the first call. Throws
   * where somebody cannot be removed.
   */
  attend(room: BotRoom): Promise<void>
}

const MAX_COMMANDERS = 500
const REASON = 'You are no administrator of this server, or may not command it here.'

export function createBotRooms(deps: BotRoomDeps): BotRooms {
  const { store, clock, logger, memberships, options } = deps
  const { userId: bot } = options
  const people = new Set(options.people)
  let isAccountReady = false
  let attended = false

  async function membershipIn(roomId: string): Promise<BotRoom | undefined> {
    const room = await deps.context.loader.load(roomId)
    if (room === undefined) return undefined
    const own = await store.read('adminBot.member', () => membershipOf(room.nid, bot))
    return own?.membership === 'join' ? { roomId, nid: room.nid } : undefined
  }

  async function create(): Promise<string> {
    const { room_id: roomId } = await deps.roomCreation.create(requesterOf(bot), {
      preset: 'private_chat',
      name: options.roomName,
      topic: 'Commands for the administrators of this server. !help lists them.',
      creation_content: { 'm.federate': false },
      initial_state: [
        // Who comes later reads nothing of before.
        { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } },
        { type: 'm.room.guest_access', content: { guest_access: 'forbidden' } },
      ],
      // Only the bot calls people in, and changes the room: it cannot be encrypted, which the bot could not read.
      power_level_content_override: {
        ...{ users_default: 0, events_default: 0, state_default: 100 },
        ...{ invite: 100, kick: 100, ban: 100, redact: 100 },
        events: {},
      },
    })
    const pos = await store.position()
    await store.write('adminBot.room', () => rows.setBotRoom(bot, roomId, pos))
    logger.info({ roomId }, 'the administration bot has made its room')
    return roomId
  }

  async function commanders(): Promise<ReadonlySet<string>> {
    const all = await store.read('adminBot.administrators', () => activeAdministrators(MAX_COMMANDERS))
    return new Set(
      all.filter((userId) => (people.size === 0 || people.has(userId)) && !deps.isBridged(userId)),
    )
  }

  async function invite(room: BotRoom, userId: string): Promise<void> {
    try {
      await memberships.invite(requesterOf(bot), { roomId: room.roomId, userId })
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      logger.warn({ err: error, userId }, 'an administrator cannot be invited to the administration room')
    }
  }

  return {
    commanders,

    async ready() {
      if (!isAccountReady) {
        const { displayName } = options
        await store.write('adminBot.account', () =>
          ensureOwnAccount({ userId: bot, displayName, now: clock.now() }),
        )
        isAccountReady = true
      }
      const known = await store.read('adminBot.known', () => rows.botRoom(bot))
      const room = known === undefined ? undefined : await membershipIn(known.room_id)
      return room ?? (await membershipIn(await create()))!
    },

    async attend(room) {
      const allowed = await commanders()
      const { here, known } = await store.read('adminBot.members', function* () {
        return {
          here: [...(yield* localMembers(room.nid, 'join')), ...(yield* localMembers(room.nid, 'invite'))],
          known: yield* rows.membershipsAmong(room.nid, [...allowed]),
        }
      })
      for (const userId of here)
        if (userId !== bot && !allowed.has(userId))
          await memberships.kick(requesterOf(bot), { roomId: room.roomId, userId, reason: REASON })
      const away = new Set(
        known
          .filter(
            ({ user_id: userId, membership, sender }) =>
              membership !== 'leave' || (attended && sender === userId),
          )
          .map((row) => row.user_id),
      )
      attended = true
      for (const userId of allowed) if (!away.has(userId)) await invite(room, userId)
    },
  }
}
