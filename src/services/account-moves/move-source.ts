import {
  certificateOf,
  MAX_MOVE_MS,
  provenMove,
  readCertificate,
  signCertificate,
  type AccountMove,
} from '../../core/account-move/move-certificate.js'
import { OPERATOR, SERVER, userActor, type Actor } from '../../core/audit/acts.js'
import { badJson, forbidden, invalidParam } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { ownValue, type JsonObject } from '../../core/json/value.js'
import { seal } from '../../platform/sealed-box.js'
import { decodeBase64, encodeBase64 } from '../../platform/unpadded-base64.js'
import {
  accountMoveByNonce,
  accountMovesOf,
  dueMoveRooms,
  endMoveRooms,
  insertAccountMove,
  insertMoveRooms,
  NEVER,
  nextMoveRoom,
  postponeAccountMove,
  type AccountMoveRow,
} from '../../storage/tables/account-moves.js'
import { joinedRoomIds } from '../../storage/tables/memberships.js'
import { profileOf } from '../../storage/tables/profiles.js'
import { forgetPushesOf } from '../../storage/tables/pushers.js'
import { setUserFlag } from '../../storage/tables/users.js'
import { bundlePart, MAX_ROOMS } from './build-bundle.js'
import { readPlace } from './bundle-part.js'
import {
  actOf,
  circleOf,
  movablePerson,
  MOVED_FIELD,
  noSuchMove,
  OFFER_PATH,
  PROGRESS_PATH,
  REQUEST_TIMEOUT_MS,
  takeStep,
  type AccountMovesDeps,
} from './move-context.js'
import { createSourceRooms } from './source-rooms.js'

/**
 * The steps of a move on the node that is left. `asked`: the person has to say yes; `ordered`: the other node is to sign; `certified`: it reads the bundle;
 * `taken`: it has the bundle; `rooms`: the new account comes into the rooms; `closing`: the old one is to be locked; `telling`: the other node is to know.
 */
export type SourceStep = 'asked' | 'ordered' | 'certified' | 'taken' | 'rooms' | 'closing' | 'telling' | Over
export type Over = 'done' | 'expired' | 'cancelled'

/** Steps from which nothing has left the node yet. */
const BEFORE_ANYTHING: ReadonlySet<string> = new Set(['asked', 'ordered', 'certified'])
export const OVER: ReadonlySet<string> = new Set(['done', 'expired', 'cancelled'])

export interface MoveOrder {
  readonly oldUser: string
  readonly newUser: string
  /** Why an operator orders it; undefined: the person is asked. */
  readonly reason: string | undefined
}

/** Accounts of this server that go to another member node. */
export interface MoveSource {
  /** Throws M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN where the account moves already; M_UNRECOGNIZED. */
  order(order: MoveOrder): Promise<void>
  /** The person says yes to what was asked. Throws M_NOT_FOUND where nothing was, or something else. */
  consent(userId: string, newUser: string): Promise<void>
  /** Ends a move of which nothing has been carried out. Throws M_NOT_FOUND, M_FORBIDDEN. */
  cancel(userId: string, by: Actor): Promise<void>
  /** A sealed part of the bundle, for the node of the new account while it reads it. Throws M_NOT_FOUND. */
  part(origin: string, nonce: string, place: JsonObject | undefined): Promise<string>
  /** The other node has all of the bundle. Throws M_NOT_FOUND. */
  received(origin: string, nonce: string): Promise<void>
  /** Goes one step on, where there is one. Throws what a later try may mend. */
  advance(row: AccountMoveRow): Promise<void>
}

const ROOMS_AT_ONCE = 25
const MAX_REASON = 500
const KEY_TYPE = 'org.chancery.account_move_key.v1'
/** After so long nobody is told any more that a move is over: they see that it is. */
const TELL_MS = 14 * 24 * 3_600_000

/** The key of a bundle, as the node signs it that made it. */
export const bundleKeyJson = (nonce: string, publicKey: Uint8Array): JsonObject => ({
  type: KEY_TYPE,
  nonce,
  key: encodeBase64(publicKey),
})

export function createMoveSource(deps: AccountMovesDeps): MoveSource {
  const { store, clock, random, serverName, audit, options, client } = deps
  const rooms = createSourceRooms(deps)

  async function offer(row: AccountMoveRow): Promise<void> {
    const { checks } = circleOf(deps)
    const mine = JSON.parse(row.certificate!) as JsonObject
    const move = readCertificate(mine)!
    const answer = await client.request({
      destination: move.target,
      method: 'POST',
      path: OFFER_PATH,
      body: { certificate: mine },
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxBytes: 65_536,
    })
    const certificate = ownValue(answer, 'certificate') as JsonObject | undefined
    const proven = provenMove(certificate, checks)
    if (proven === undefined || canonicalJson(certificateOf(proven)) !== canonicalJson(certificateOf(move)))
      throw badJson('The other node has not signed this move')
    const key = ownValue(answer, 'key') as JsonObject | undefined
    const publicKey = key === undefined ? undefined : bundleKeyIn(key, move)
    if (key === undefined || publicKey === undefined || !(await deps.keys.verifyJson(move.target, key)).ok)
      throw badJson('The other node gives no key for the bundle')
    await store.write('accountMoves.certified', () =>
      takeStep(audit, row, {
        step: 'certified',
        certificate: canonicalJson(certificate!),
        bundleKey: publicKey,
        dueTs: row.not_after,
      }),
    )
  }

  function bundleKeyIn(key: JsonObject, { nonce }: AccountMove): Uint8Array | undefined {
    const text = ownValue(key, 'key')
    const bytes = typeof text === 'string' && text.length <= 64 ? decodeBase64(text) : undefined
    const isIts = ownValue(key, 'type') === KEY_TYPE && ownValue(key, 'nonce') === nonce
    return isIts && bytes?.length === 32 ? bytes : undefined
  }

  async function listRooms(row: AccountMoveRow): Promise<void> {
    const roomIds = await store.read('accountMoves.rooms', () => joinedRoomIds(row.old_user))
    await store.write('accountMoves.list', function* () {
      yield* insertMoveRooms(row.move_id, roomIds.slice(0, MAX_ROOMS), clock.now())
      yield* takeStep(audit, row, { step: 'rooms', dueTs: clock.now() })
    })
  }

  async function moveRooms(row: AccountMoveRow): Promise<void> {
    const name = await nameOf(row.old_user)
    const due = await store.read('accountMoves.dueRooms', () =>
      dueMoveRooms(row.move_id, clock.now(), ROOMS_AT_ONCE),
    )
    for (const room of due) await rooms.advance(row, room, name)
    const isLate = row.not_after <= clock.now()
    await store.write('accountMoves.after', function* () {
      if (isLate) yield* endMoveRooms(row.move_id, 'There was no time left for this room')
      const next = yield* nextMoveRoom(row.move_id)
      if (next === undefined) yield* takeStep(audit, row, { step: 'closing', dueTs: clock.now() })
      else yield* postponeAccountMove(row, 0, Math.min(next, row.not_after), null)
    })
  }

  async function nameOf(userId: string): Promise<string> {
    const fields = await store.read('accountMoves.name', () => profileOf(userId))
    const found = fields.find(({ field }) => field === 'displayname')
    const name = found === undefined ? undefined : (JSON.parse(found.value) as unknown)
    return typeof name === 'string' ? name : userId
  }

  async function close(row: AccountMoveRow): Promise<void> {
    const { old_user: userId, new_user: newUser } = row
    await deps.profile.setManaged(userId, MOVED_FIELD, newUser)
    await store.write('accountMoves.close', function* () {
      const change = { step: 'telling', bundleKey: null, dueTs: clock.now() }
      if (!(yield* takeStep(audit, row, change))) return
      yield* setUserFlag(userId, 'locked', true)
      yield* forgetPushesOf(userId)
      yield* audit.record({ act: 'account.locked', by: SERVER, on: userId, details: { moved_to: newUser } })
    })
    deps.tokenCache.forget(userId)
  }

  async function tell(row: AccountMoveRow): Promise<void> {
    const isLate = row.not_after + TELL_MS <= clock.now()
    if (!isLate)
      await client.request({
        destination: parseUserId(row.new_user)!.domain,
        method: 'POST',
        path: PROGRESS_PATH,
        body: { nonce: row.nonce!, step: 'finished' },
        timeoutMs: REQUEST_TIMEOUT_MS,
        maxBytes: 4_096,
      })
    await store.write('accountMoves.done', () => takeStep(audit, row, { step: 'done', dueTs: NEVER }))
  }

  /** The move by this certificate, if it is with that server. */
  async function withServer(origin: string, nonce: string): Promise<AccountMoveRow> {
    const row = await store.read('accountMoves.byNonce', () => accountMoveByNonce('source', nonce))
    if (row === undefined || parseUserId(row.new_user)?.domain !== origin) throw noSuchMove()
    return row
  }

  function checkTarget(newUser: string): string {
    const circle = circleOf(deps)
    const id = parseUserId(newUser)
    if (id === undefined) throw invalidParam(`${newUser} is not a user id`)
    if (id.domain === serverName) throw invalidParam(`${newUser} is of this server: nobody moves within one`)
    if (!circle.isMember(id.domain)) throw invalidParam(`${id.domain} is no member of the node list`)
    if (circle.isExternal(id.domain) && !circle.isExternal(serverName))
      throw invalidParam(`${id.domain} is for external accounts: nobody of the administration moves there`)
    for (const server of [serverName, id.domain])
      if ((circle.checks.keysOf(server)?.size ?? 0) === 0)
        throw invalidParam(`The node list has no key of ${server}: its certificate would prove nothing`)
    return id.domain
  }

  return {
    async order({ oldUser, newUser, reason }) {
      const target = checkTarget(newUser)
      const now = clock.now()
      const nonce = random.string(43)
      const notAfter = now + Math.min(options.lifetimeMs, MAX_MOVE_MS)
      const move: AccountMove = {
        oldUser,
        newUser,
        source: serverName,
        target,
        nonce,
        issuedAt: now,
        notAfter,
      }
      const certificate = canonicalJson(signCertificate(certificateOf(move), deps.signer))
      const step = reason === undefined ? 'asked' : 'ordered'
      const row = {
        side: 'source',
        old_user: oldUser,
        new_user: newUser,
        step,
        nonce,
        certificate,
        consent: Number(reason === undefined),
        reason: (reason ?? '').slice(0, MAX_REASON),
        created_ts: now,
        not_after: notAfter,
        due_ts: reason === undefined ? notAfter : now,
      } as const
      await store.write('accountMoves.order', function* () {
        yield* movablePerson(oldUser)
        const others = yield* accountMovesOf(oldUser)
        if (
          others.some(
            (other) => other.step !== 'expired' && other.step !== 'cancelled' && isFrom(other, oldUser),
          )
        )
          throw forbidden(`${oldUser} moves already, or has moved`)
        yield* insertAccountMove(row)
        yield* audit.record(actOf(row, step, OPERATOR))
      })
    },

    async consent(userId, newUser) {
      await store.write('accountMoves.consent', function* () {
        const row = (yield* accountMovesOf(userId)).find((one) => isFrom(one, userId) && one.step === 'asked')
        if (row === undefined || row.new_user !== newUser || row.not_after <= clock.now()) throw noSuchMove()
        yield* takeStep(audit, row, { step: 'ordered', dueTs: clock.now() }, userActor(userId))
      })
    },

    async cancel(userId, by) {
      await store.write('accountMoves.cancel', function* () {
        const row = (yield* accountMovesOf(userId)).find((one) => isFrom(one, userId) && !OVER.has(one.step))
        if (row === undefined) throw noSuchMove()
        const isOurs = by.kind === 'operator' || row.consent === 1
        if (!BEFORE_ANYTHING.has(row.step) || !isOurs)
          throw forbidden('This move cannot be called off any more')
        yield* takeStep(audit, row, { step: 'cancelled', bundleKey: null, dueTs: NEVER }, by)
      })
    },

    async part(origin, nonce, given) {
      const row = await withServer(origin, nonce)
      const place = given === undefined ? undefined : readPlace(given)
      if (given !== undefined && place === undefined) throw invalidParam('This is no place in a bundle')
      const key = row.bundle_key
      if (row.step !== 'certified' || key === null || row.not_after <= clock.now()) throw noSuchMove()
      if (given === undefined) audit.count(actOf(row, 'bundle_read', { kind: 'server', id: origin }))
      const part = await bundlePart(deps, row, place)
      return encodeBase64(seal(Buffer.from(JSON.stringify(part)), key, random))
    },

    async received(origin, nonce) {
      const row = await withServer(origin, nonce)
      // An answer may have been lost.
      if (row.step !== 'certified' && !OVER.has(row.step) && !BEFORE_ANYTHING.has(row.step)) return
      if (row.step !== 'certified' || row.not_after <= clock.now()) throw noSuchMove()
      const by: Actor = { kind: 'server', id: origin }
      await store.write('accountMoves.taken', () =>
        takeStep(audit, row, { step: 'taken', bundleKey: null, dueTs: clock.now() }, by),
      )
    },

    async advance(row) {
      if (BEFORE_ANYTHING.has(row.step) && row.not_after <= clock.now()) {
        await store.write('accountMoves.expire', () =>
          takeStep(audit, row, { step: 'expired', bundleKey: null, dueTs: NEVER }),
        )
        return
      }
      switch (row.step as SourceStep) {
        case 'ordered':
          return await offer(row)
        case 'taken':
          return await listRooms(row)
        case 'rooms':
          return await moveRooms(row)
        case 'closing':
          return await close(row)
        case 'telling':
          return await tell(row)
        default:
      }
    },
  }
}

export const isFrom = (row: AccountMoveRow, userId: string): boolean =>
  row.side === 'source' && row.old_user === userId
