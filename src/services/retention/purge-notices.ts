import { createHash } from 'node:crypto'
import { MatrixError, badJson, forbidden, notFound } from '../../core/errors.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { ownValue, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import {
  dueReceipts,
  heldPeopleIn,
  postponeReceipt,
  putReceipt,
  type DueReceiptRow,
} from '../../storage/tables/retention.js'
import type { FederationClient } from '../federation/client.js'
import type { Keys } from '../federation/keys.js'
import type { RoomsContext } from '../rooms/context.js'
import type { LegalHolds } from './legal-holds.js'
import type { RoomPurge, SignRecord } from './purge-rooms.js'

/** How member nodes prove to each other that what is too old is gone. */
export interface PurgeNotices {
  /** Job: tells member nodes of purges of rooms in which they have people, and keeps what they sign. Gives how many receipts came. */
  tell(): Promise<number>
  /**
   * Another member has purged a room, by a record that it has signed. What is too old here, by the bounds of this node, is purged at once: never what another server
   * would have gone. Gives the signed receipt. Throws M_FORBIDDEN for servers that are no members or not in the room, and where this node gives no
   * receipt of a room; M_BAD_JSON, M_NOT_FOUND, M_UNRECOGNIZED where nothing is ever purged here.
   */
  receive(origin: string, record: JsonObject): Promise<JsonObject>
  /** Members with people in a room. */
  witnesses(roomNid: number): Promise<readonly string[]>
}

export interface PurgeNoticesDeps {
  readonly context: RoomsContext
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly holds: LegalHolds
  readonly sign: SignRecord
  readonly client: Pick<FederationClient, 'request'>
  readonly keys: Pick<Keys, 'verifyJson'>
  readonly isMember: (serverName: string) => boolean
  /** Purges one room now; undefined where nothing is ever purged. */
  readonly purgeRoom: ((roomNid: number, roomId: string) => Promise<RoomPurge | undefined>) | undefined
}

export const PURGE_PATH = '/_matrix/federation/unstable/org.chancery/purge'
const RECORD = 'org.chancery.purge.v1'
const RECEIPT = 'org.chancery.purge_receipt.v1'
const TIMEOUT_MS = 60_000
const BATCH = 50
const FIRST_MS = 60_000
const MAX_WAIT_MS = 86_400_000
/** After some two weeks nobody is asked again: the record says that there is no receipt. */
const MAX_ATTEMPTS = 24

/** What a receipt names its record by. */
const hashOf = (record: JsonObject): string =>
  createHash('sha256').update(canonicalJson(record)).digest('hex')

export function createPurgeNotices(deps: PurgeNoticesDeps): PurgeNotices {
  const { context, clock, logger, holds, sign, client, keys, isMember } = deps
  const { store, serverName } = context

  async function tellOne(row: DueReceiptRow): Promise<boolean> {
    const record = JSON.parse(row.record) as JsonObject
    try {
      const answer = await client.request({
        destination: row.server,
        method: 'POST',
        path: PURGE_PATH,
        body: { record },
        timeoutMs: TIMEOUT_MS,
      })
      const receipt = ownValue(answer, 'receipt')
      if (!isReceipt(receipt, row.server, hashOf(record))) throw badJson('This is no receipt of the purge')
      const signed = await keys.verifyJson(row.server, receipt)
      if (!signed.ok) throw forbidden('The receipt does not bear a signature of its server')
      await store.write('retention.receipt', () => putReceipt(row.id, row.server, canonicalJson(receipt)))
      return true
    } catch (error) {
      const attempts = row.attempts + 1
      const wait = Math.min(FIRST_MS * 2 ** row.attempts, MAX_WAIT_MS)
      logger.info(
        { err: error, server: row.server, room: row.room_id, attempts },
        'a member gives no receipt of a purge',
      )
      const due = attempts >= MAX_ATTEMPTS ? Number.MAX_SAFE_INTEGER : clock.now() + wait
      await store.write('retention.postpone', () => postponeReceipt(row.id, row.server, attempts, due))
      return false
    }
  }

  return {
    async tell() {
      const rows = await store.read('retention.due', () => dueReceipts(clock.now(), BATCH))
      let came = 0
      for (const row of rows) if (await tellOne(row)) came++
      return came
    },

    async receive(origin, record) {
      const { purgeRoom } = deps
      if (purgeRoom === undefined) throw new MatrixError('M_UNRECOGNIZED', 'Nothing is purged here')
      if (!isMember(origin)) throw forbidden('Receipts are given to member nodes alone')
      const roomId = ownValue(record, 'room_id')
      if (
        ownValue(record, 'type') !== RECORD ||
        ownValue(record, 'server') !== origin ||
        typeof roomId !== 'string'
      )
        throw badJson('This is no record of a purge by your server')
      const room = await context.loader.load(roomId)
      const isThere = room?.root !== undefined && (await context.rosters.of(room.nid)).servers.has(origin)
      if (!isThere) throw notFound('Your server is in no such room')
      if (!(await keys.verifyJson(origin, record)).ok)
        throw forbidden('The record does not bear a signature of your server')
      const withheld = async (): Promise<boolean> =>
        holds.rooms.has(roomId) ||
        (await store.read('retention.heldIn', () => heldPeopleIn(room.nid, [...holds.users])))
      const refused = forbidden('This server gives no receipt of this room')
      // Nobody learns from it that somebody is looked into: a receipt may be refused for other reasons too.
      if (await withheld()) throw refused
      const purge = await purgeRoom(room.nid, roomId)
      if (purge === undefined || (await withheld())) throw refused
      return sign({
        type: RECEIPT,
        server: serverName,
        room_id: roomId,
        record: hashOf(record),
        before: purge.before,
        at: clock.now(),
      })
    },

    async witnesses(roomNid) {
      const { servers } = await context.rosters.of(roomNid)
      return [...servers.keys()].filter((server) => server !== serverName && isMember(server))
    },
  }
}

function isReceipt(value: unknown, server: string, record: string): value is JsonObject {
  if (typeof value !== 'object' || value === null) return false
  const receipt = value as JsonObject
  const is = (name: string, wanted: string): boolean => ownValue(receipt, name) === wanted
  return (
    is('type', RECEIPT) &&
    is('server', server) &&
    is('record', record) &&
    typeof receipt['before'] === 'number'
  )
}
