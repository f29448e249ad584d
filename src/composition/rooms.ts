import type { AccessPolicy } from '../core/access-rules/access-policy.js'
import type { Signer as EventSigner } from '../core/event/sign.js'
import { appendTo } from '../core/append-to.js'
import type { JsonObject } from '../core/json/value.js'
import type { RetentionPolicy } from '../core/retention.js'
import { serverNameOf } from '../core/ids/server-name-of.js'
import { roomVersion } from '../core/room-version/versions.js'
import type { Clock } from '../platform/clock.js'
import { verifySignatureBy } from '../platform/ed25519.js'
import type { Logger } from '../platform/logger.js'
import type { Notifier } from '../platform/notifier.js'
import type { Random } from '../platform/random.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { StateResolving } from '../services/rooms/resolve-aside.js'
import type { LastAdministratorRule } from '../core/access-rules/last-administrator.js'
import { createEventStore } from '../services/rooms/event-store.js'
import type { LocalEventDeps } from '../services/rooms/local-event.js'
import { createAwaitWhole } from '../services/rooms/await-whole.js'
import { createNids } from '../services/rooms/nids.js'
import { createOutsideMemberships, type OutsideMemberships } from '../services/rooms/outside-memberships.js'
import type { PolicySigner } from '../services/rooms/policy-servers.js'
import type { RoomPolicies } from '../services/rooms/room-policies.js'
import { createRoomLoader } from '../services/rooms/room-loader.js'
import { createRoomWriter, type Committed, type MemberHooks } from '../services/rooms/room-writer.js'
import { logResolutions } from '../services/rooms/resolution-log.js'
import { createRoomRetention, type RoomRetention } from '../services/rooms/room-retention.js'
import { createRosters } from '../services/rooms/roster.js'
import { createStickyEvents, type StickyEvents } from '../services/rooms/sticky-events.js'
import { createStateStore } from '../services/rooms/state-store.js'
import { memberChanges, type RoomReaders, type WorkingRoom } from '../services/rooms/working-room.js'
import { createPushRules, type PushRules } from '../services/push/push-rules.js'
import { createUnread, type Unread } from '../services/push/unread.js'
import { eventsByIds, redactionsOf } from '../storage/tables/events.js'
import type { Store, Tx } from '../storage/tx.js'

export interface RoomsParts {
  readonly context: RoomsContext
  readonly outside: OutsideMemberships
  readonly pushRules: PushRules
  readonly unread: Unread
  readonly sticky: StickyEvents
}

export interface RoomsPartsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly notifier: Notifier
  readonly serverName: string
  readonly signer: EventSigner
  readonly defaultRoomVersion: string
  /** Whether push rules look at which threads people follow (MSC4306). Default false. */
  readonly followedThreads?: boolean
  /** The access rules of a closed circle. */
  readonly access?: AccessPolicy | undefined
  /** How long what is said lives, and what is kept nevertheless. */
  readonly retention?: RetentionPolicy | undefined
  readonly isHeld?: RoomRetention['isHeld']
  /** Lists of the banned that are followed. */
  readonly policiesOf?:
    ((rooms: Pick<RoomsContext, 'loader' | 'events' | 'states'>) => RoomPolicies | undefined) | undefined
  /** An access rule refused what a local user wants. */
  readonly onPolicyRefusal?: LocalEventDeps['onPolicyRefusal']
  /** What becomes of a room whose last administrator goes. Default: they go. */
  readonly lastAdministrator?: LastAdministratorRule
  /** Where large conflicts of states are resolved; without one, on the event loop. */
  readonly resolver?: StateResolving
  /** What else a change of membership writes, in its own transaction. */
  readonly memberHooks: MemberHooks
  wakeSender(destinations: readonly string[]): void
  /** Where it is absent, nobody says anything in rooms with a policy server. */
  readonly policySigner?: PolicySigner
  /** After a user of this server has joined a room. */
  onLocalJoin?(roomId: string, userId: string): void
  /** After a user of this server has said something. */
  onLocalActivity?(userId: string): void
  /** After a room's rule for guests has changed. */
  onGuestAccess?(roomId: string): void
  /** What else new events and invites from outside write, in their own transactions. */
  readonly stage?: {
    events(room: WorkingRoom): Tx<void>
    invite(roomNid: number, userId: string, pos: number): Tx<void>
    /** Any membership outside, as clients see it. */
    outside?(userId: string, pos: number, event: JsonObject): Tx<void>
  }
  /** After new events are on disk. */
  onEvents?(room: WorkingRoom): void
  /** After an invite from outside, or what becomes of it, is on disk. */
  onOutside?(userId: string): void
  /** For metrics: new events of users of this server, and of others, that are on disk. */
  onStored?(ours: number, others: number): void
}

/** Builds what all use cases of rooms stand on. */
export function buildRooms(deps: RoomsPartsDeps): RoomsParts {
  const { store, clock, random, logger, notifier, serverName } = deps
  const nids = createNids(store)
  const events = createEventStore(store)
  const states = createStateStore({ store, nids })
  const rosters = createRosters(store)
  const loader = createRoomLoader({ store, events, nids })
  const readers: RoomReaders = { events, states, serverName }
  const pushRules = createPushRules({ store, threads: deps.followedThreads ?? false })
  const unread = createUnread({ store, pushRules, events, readers })

  function onCommitted({ room, pending, persisted }: Committed): void {
    notifier.notify(room.roster.local)
    logResolutions(logger, room, pending)
    deps.onEvents?.(room)
    // Who looks into a room from outside waits for the room itself; who left or was invited is no member.
    const others = [room.roomId]
    for (const change of pending.flatMap((item) => item.stateChanges)) {
      if (change.type === 'm.room.member') others.push(change.stateKey)
    }
    notifier.notify(others)
    const arrived = memberChanges(pending.flatMap((item) => item.stateChanges))
      .filter(({ before, after }) => before !== 'join' && after === 'join')
      .map(({ userId }) => userId)
    for (const userId of arrived)
      if (serverNameOf(userId) === serverName) deps.onLocalJoin?.(room.roomId, userId)
    if (arrived.length > 0 && room.base.rev > 0) void showWhatSticks(room, arrived)
    if (pending.some((item) => item.stateChanges.some((change) => change.type === 'm.room.guest_access')))
      deps.onGuestAccess?.(room.roomId)
    const destinations = new Set([...pending.flatMap((item) => item.destinations), ...persisted.newcomers])
    if (destinations.size > 0) deps.wakeSender([...destinations])
    const live = pending.filter((item) => item.live)
    for (const { stored } of live) {
      const { sender, stateKey } = stored.event
      if (stateKey === undefined && serverNameOf(sender) === serverName) deps.onLocalActivity?.(sender)
    }
    const ours = live.filter((item) => item.stored.event.sender.endsWith(`:${serverName}`)).length
    deps.onStored?.(ours, live.length - ours)
  }

  const writer = createRoomWriter({
    store,
    clock,
    logger,
    nids,
    loader,
    rosters,
    readers,
    memberHooks: deps.memberHooks,
    onCommitted,
    ...(deps.policySigner === undefined ? {} : { policySigner: deps.policySigner }),
    ...(deps.stage === undefined ? {} : { stage: deps.stage.events }),
  })
  const kept =
    deps.retention === undefined
      ? undefined
      : createRoomRetention({
          events,
          states,
          clock,
          policy: deps.retention,
          isHeld: deps.isHeld ?? (() => false),
        })
  const context: RoomsContext = {
    store,
    clock,
    random,
    logger,
    serverName,
    events,
    states,
    loader,
    rosters,
    writer,
    ...(kept === undefined ? {} : { retention: kept }),
    local: {
      ...(kept === undefined ? {} : { retention: kept }),
      readers,
      signer: deps.signer,
      clock,
      random,
      nids,
      verifySignature: verifySignatureBy,
      ...(deps.access === undefined ? {} : { access: deps.access }),
      onPolicyRefusal: deps.onPolicyRefusal,
      ...(deps.resolver === undefined ? {} : { resolver: deps.resolver }),
      async readAhead(ids) {
        const { rows, redactions } = await store.read('events.ahead', function* () {
          return { rows: yield* eventsByIds(ids), redactions: yield* redactionsOf(ids) }
        })
        const known = new Map((await events.revive(rows)).map((stored) => [stored.event.id, stored]))
        const nidsOf = new Map<string, number[]>()
        for (const { target, redaction } of redactions) appendTo(nidsOf, target, redaction)
        return new Map(ids.map((id) => [id, { known: known.get(id), redactions: nidsOf.get(id) ?? [] }]))
      },
      unreadEffect: (room, event) => unread.effect(room, event),
      unreadRedaction: (room, target) => unread.redaction(room, target),
    },
    ...(deps.policySigner === undefined ? {} : { policySigner: deps.policySigner }),
    awaitWhole: createAwaitWhole({ loader, notifier, clock }),
    policies: deps.policiesOf?.({ loader, events, states }),
    lastAdministrator: deps.lastAdministrator ?? 'allow',
    defaultVersion: roomVersion(deps.defaultRoomVersion)!,
  }
  const sticky = createStickyEvents(context)

  async function showWhatSticks(room: WorkingRoom, userIds: readonly string[]): Promise<void> {
    try {
      if (await sticky.judgeAnew(room.roomId, userIds)) notifier.notify(room.roster.local)
    } catch (error) {
      logger.warn({ err: error, roomId: room.roomId }, 'sticky events could not be judged anew')
    }
  }

  const outside = createOutsideMemberships({
    store,
    nids,
    serverName,
    wake(userId) {
      notifier.notify([userId])
      deps.onOutside?.(userId)
    },
    ...(deps.stage === undefined
      ? {}
      : {
          stageInvite: deps.stage.invite,
          ...(deps.stage.outside === undefined ? {} : { stageEvent: deps.stage.outside }),
        }),
  })
  return { context, outside, pushRules, unread, sticky }
}
