import { setImmediate as nextTurn } from 'node:timers/promises'
import { MatrixError, badJson, forbidden, invalidParam } from '../../core/errors.js'
import { isEventId } from '../../core/ids/event-id.js'
import type { JsonObject } from '../../core/json/value.js'
import {
  deleteEarlierTransactionsBefore,
  deleteTransactionsBefore,
  hasEarlierTransactions,
  transactionKey,
  transactionPage,
  sentIn,
  sentInEarlier,
  type ClientTransaction,
} from '../../storage/tables/client-transactions.js'
import type { Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import type { RoomsContext } from './context.js'
import { readStateEvent } from './context.js'
import { refuseWithoutAdministrator } from './last-administrator.js'
import { notInRoom } from './not-in-room.js'
import type { Aliases } from './aliases.js'
import { checkRelation } from './check-relation.js'
import { checkCanonicalAlias } from './canonical-alias.js'
import { addLocalEvent } from './add-local-event.js'
import type { Draft } from './local-event.js'
import { aclDenies } from '../../core/server-acl.js'
import {
  eventsByIds,
  mapKey,
  membershipIn,
  stateEvents,
  type ClientTxn,
  type WorkingRoom,
} from './working-room.js'
import { workingPowerLevels } from './room-power.js'

export interface SendInput {
  readonly roomId: string
  readonly type: string
  readonly content: JsonObject
  readonly txnId: string
  /** Milliseconds; application services only. */
  readonly ts?: number | undefined
  /** Milliseconds for which the event is to reach everybody (MSC4354). */
  readonly stickyMs?: number | undefined
  /** The transaction id is that of a delay (MSC4140). */
  readonly isDelayed?: true
}

export interface Sending {
  /** A message event. The same transaction id from the same device gives the same event id. */
  message(requester: Requester, input: SendInput): Promise<{ event_id: string }>
  state(
    requester: Requester,
    input: Omit<SendInput, 'txnId' | 'isDelayed'> & {
      readonly stateKey: string
      /** The delay that it was sent after (MSC4140): an event is sent once for each. */
      readonly delayId?: string
    },
  ): Promise<{ event_id: string }>
  redact(
    requester: Requester,
    input: { roomId: string; eventId: string; txnId: string; reason: string | undefined; extra: JsonObject },
  ): Promise<{ event_id: string }>
  /** Job: transaction ids are remembered for a day. */
  forgetOldTransactions(): Promise<number>
}

export const refuseSuspended = (requester: Requester): void => {
  if (requester.isSuspended) throw new MatrixError('M_USER_SUSPENDED', 'This account is suspended')
}

/** Milliseconds; a client repeats a request within minutes. */
const TRANSACTIONS_KEPT = 24 * 3_600_000

const isDistinctError = (error: unknown, errcode: string): boolean =>
  error instanceof MatrixError && error.errcode === errcode

function* nothing(): Tx<void> {}

export function createSending(context: RoomsContext, aliases: Pick<Aliases, 'resolve'>): Sending {
  /** Requests under way, so that a repeated one waits for the first. */
  const underWay = new Map<string, Promise<{ event_id: string }>>()
  /** Whether there are transactions of a program before the migration `transaction-keys`; undefined before the first look. */
  let hasEarlier: boolean | undefined

  async function add(roomId: string, draft: Draft): Promise<{ event_id: string }> {
    try {
      const stored = await context.writer.write(roomId, async (room) => {
        if (draft.redacts !== undefined) await checkRedaction(room, draft.sender, draft.redacts)
        if (draft.stateKey === undefined)
          await checkRelation(room, draft, context.store, context.local.readers)
        await refuseWithoutAdministrator(room, draft, context.lastAdministrator, context)
        return addLocalEvent(room, draft, context.local)
      })
      return { event_id: stored.event.id }
    } catch (error) {
      if (isDistinctError(error, 'M_NOT_FOUND')) throw notInRoom()
      throw error
    }
  }

  /**
   * Later room versions let everybody send redactions, which then have no effect: our users are told. Without the power to redact what
   * others wrote, every event but one's own in this room is answered alike, be it hidden, of another room or unknown here. With
   * it, all are accepted: the event may be known elsewhere and yet come, and on an event of another room a redaction has no effect. Throws M_FORBIDDEN.
   */
  async function checkRedaction(room: WorkingRoom, sender: string, redacts: string): Promise<void> {
    const { readers } = context.local
    const found = (await eventsByIds(room, [redacts], readers)).get(redacts)
    const target = found?.roomNid === room.base.nid ? found.event : undefined
    if (target?.sender !== sender) {
      const levels = await workingPowerLevels(room, readers)
      if (levels.user(sender) < levels.redact) {
        const own = { type: 'm.room.member', stateKey: sender }
        const member = (await stateEvents(room, [own], readers)).get(mapKey(own))
        throw membershipIn(member) === 'join'
          ? forbidden('You may not redact what others wrote')
          : notInRoom()
      }
    }
    if (target?.type === 'm.room.create') throw forbidden('The create event cannot be redacted')
  }

  /** A suspended user may still take back what they wrote, and nothing else. */
  async function refuseSuspendedRedaction(
    requester: Requester,
    roomId: string,
    redacts: string,
  ): Promise<void> {
    if (!requester.isSuspended) return
    const target = (await context.events.byId(redacts))?.event
    if (target?.sender !== requester.userId || target.roomId !== roomId) refuseSuspended(requester)
  }

  function* findSent(txn: ClientTransaction, key: string): Tx<string | undefined> {
    return (yield* sentIn(key)) ?? (hasEarlier === true ? yield* sentInEarlier(txn) : undefined)
  }

  async function once(
    txn: ClientTransaction,
    key: string,
    send: () => Promise<{ event_id: string }>,
  ): Promise<{ event_id: string }> {
    const running = underWay.get(key)
    if (running !== undefined) return running
    const work = (async () => {
      hasEarlier ??= await context.store.read('transactions.earlier', hasEarlierTransactions)
      const known = await context.store.read('transactions.find', () => findSent(txn, key))
      if (known === undefined) return send()
      // A read may see what is not yet on disk. A write that does nothing resolves when all that came before it is.
      await context.store.write('transactions.settle', nothing)
      return { event_id: known }
    })()
    underWay.set(key, work)
    try {
      return await work
    } finally {
      underWay.delete(key)
    }
  }

  /** Sends by a client's transaction, or gives what was sent by it before. */
  function inTransaction(
    requester: Requester,
    path: string,
    txnId: string,
    send: (txn: ClientTxn) => Promise<{ event_id: string }>,
  ): Promise<{ event_id: string }> {
    if (txnId.length > 255) throw new MatrixError('M_INVALID_PARAM', 'The transaction id is too long')
    const deviceId = requester.deviceId ?? requester.appserviceId ?? ''
    const txn = { userId: requester.userId, deviceId, path, txnId }
    const key = transactionKey(txn)
    return once(txn, key, () => send({ key, deviceId, txnId }))
  }

  async function forgetOld(): Promise<number> {
    const before = context.clock.now() - TRANSACTIONS_KEPT
    let forgotten = 0
    if (hasEarlier !== false) {
      forgotten += await context.store.write('transactions.forgetEarlier', () =>
        deleteEarlierTransactionsBefore(before),
      )
      hasEarlier = await context.store.read('transactions.earlier', hasEarlierTransactions)
    }
    // Transactions stand in no order of time: what was written least is found by looking at all, a page at a time.
    for (let after = ''; ;) {
      const page = await context.store.read('transactions.page', () => transactionPage(after, before))
      if (page.last === null) return forgotten
      const from = after
      if (page.old > 0) {
        forgotten += await context.store.write('transactions.forget', () =>
          deleteTransactionsBefore(from, page.last!, before),
        )
      }
      after = page.last
      await nextTurn()
    }
  }

  return {
    async message(requester, input) {
      checkType(input.type)
      let redacts: string | undefined
      if (input.type === 'm.room.redaction') {
        redacts = redactedBy(input.content)
        await refuseSuspendedRedaction(requester, input.roomId, redacts)
      } else {
        refuseSuspended(requester)
      }
      return inTransaction(requester, `send/${input.roomId}/${input.type}`, input.txnId, (clientTxn) =>
        add(input.roomId, {
          type: input.type,
          sender: requester.userId,
          content: input.content,
          redacts,
          stickyMs: input.stickyMs,
          clientTxn: input.isDelayed === true ? { ...clientTxn, isDelayed: true } : clientTxn,
          originServerTs: requester.appserviceId === undefined ? undefined : input.ts,
        }),
      )
    },

    async state(requester, input) {
      refuseSuspended(requester)
      checkType(input.type)
      if (Buffer.byteLength(input.stateKey) > 255)
        throw new MatrixError('M_INVALID_PARAM', 'The state key is too long')
      if (input.type === 'm.room.create') throw invalidParam('A room has one create event')
      if (input.type === 'm.room.server_acl' && aclDenies(input.content, context.serverName)) {
        throw badJson('This access control list would shut out this server itself')
      }
      if (input.type === 'm.room.canonical_alias' && input.stateKey === '') {
        const room = await context.loader.load(input.roomId)
        const current =
          room === undefined ? undefined : await readStateEvent(context, room, input.type, input.stateKey)
        await checkCanonicalAlias(aliases, input.roomId, input.content, current?.event.content)
      }
      const { roomId, delayId } = input
      const draft: Draft = {
        type: input.type,
        sender: requester.userId,
        stateKey: input.stateKey,
        content: input.content,
        stickyMs: input.stickyMs,
        originServerTs: requester.appserviceId === undefined ? undefined : input.ts,
      }
      if (delayId === undefined) return add(roomId, draft)
      return inTransaction(requester, `state/${roomId}/${input.type}`, delayId, (clientTxn) =>
        add(roomId, { ...draft, clientTxn: { ...clientTxn, isDelayed: true } }),
      )
    },

    async redact(requester, input) {
      if (!isEventId(input.eventId)) throw invalidParam('The event id is none')
      await refuseSuspendedRedaction(requester, input.roomId, input.eventId)
      const content = { ...input.extra, ...(input.reason === undefined ? {} : { reason: input.reason }) }
      return inTransaction(requester, `redact/${input.roomId}/${input.eventId}`, input.txnId, (clientTxn) =>
        add(input.roomId, {
          type: 'm.room.redaction',
          sender: requester.userId,
          content,
          redacts: input.eventId,
          clientTxn,
        }),
      )
    },

    forgetOldTransactions: forgetOld,
  }
}

/** The event that a redaction names. Throws M_BAD_JSON, M_INVALID_PARAM. */
function redactedBy(content: JsonObject): string {
  const redacts = content['redacts']
  if (typeof redacts !== 'string') throw badJson('A redaction names an event in redacts')
  if (!isEventId(redacts)) throw invalidParam('The event id in redacts is none')
  return redacts
}

function checkType(type: string): void {
  if (type === '' || Buffer.byteLength(type) > 255) throw new MatrixError('M_INVALID_PARAM', 'Bad event type')
}
