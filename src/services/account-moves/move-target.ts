import {
  isSignedBy,
  provenMove,
  readCertificate,
  signCertificate,
  type AccountMove,
} from '../../core/account-move/move-certificate.js'
import { OPERATOR, type Actor } from '../../core/audit/acts.js'
import { badJson, forbidden, invalidParam } from '../../core/errors.js'
import { signJson } from '../../core/event/sign.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { boxKeysOf, newBoxKeys, unseal } from '../../platform/sealed-box.js'
import { decodeBase64 } from '../../platform/unpadded-base64.js'
import {
  accountMoveByNonce,
  accountMovesOf,
  endMoveRooms,
  insertAccountMove,
  insertMoveRooms,
  NEVER,
  postponeAccountMove,
  setMoveRoom,
  stepAccountMove,
  type AccountMoveRow,
} from '../../storage/tables/account-moves.js'
import { ownMemberships } from '../../storage/tables/memberships.js'
import { userById } from '../../storage/tables/users.js'
import { requesterOf } from '../requester.js'
import { readEntries, readHead, readPlace } from './bundle-part.js'
import { createBundleImport } from './import-bundle.js'
import {
  actOf,
  BUNDLE_PATH,
  circleOf,
  noSuchMove,
  PROGRESS_PATH,
  REQUEST_TIMEOUT_MS,
  takeStep,
  waitMs,
  type AccountMovesDeps,
} from './move-context.js'
import { bundleKeyJson, OVER, type Over } from './move-source.js'
import { failureOf } from './source-rooms.js'

/**
 * The steps of a move on the node that is gone to. `expected`: the other node is to offer it; `certified`: the bundle is to be read; `reading`: a part of it is
 * here; `received`: the other node is to know that all is here; `joining`: the rooms are entered as invites come; `finished`: the same for the last time.
 */
export type TargetStep = 'expected' | 'certified' | 'reading' | 'received' | 'joining' | 'finished' | Over

/** What is known of a bundle between two parts. */
interface Reading {
  readonly next: JsonObject | null
  /** The version of the key backup that takes the keys; null: none does. */
  readonly backup: string | null
  readonly keyIds: readonly string[]
  readonly parts: number
}

/** Accounts of this server that go on with those of another member node. */
export interface MoveTarget {
  /** Throws M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN where one is expected already; M_UNRECOGNIZED. */
  expect(oldUser: string, newUser: string): Promise<void>
  /** Ends a move of which nothing has come. Throws M_NOT_FOUND, M_FORBIDDEN. */
  cancel(newUser: string): Promise<void>
  /** Another node offers a move: gives the certificate with this node's signature, and the key for the bundle. Throws M_NOT_FOUND for what is not expected. */
  offer(origin: string, certificate: JsonObject): Promise<JsonObject>
  /** The other node has done what it could. Throws M_NOT_FOUND. */
  finished(origin: string, nonce: string): Promise<void>
  /** As `MoveSource.advance`. */
  advance(row: AccountMoveRow): Promise<void>
}

/** Parts that one call of `advance` reads. */
const PARTS_AT_ONCE = 20
/** More than the largest account has. */
const MAX_PARTS = 20_000
const MAX_PART_BYTES = 8 * 1024 * 1024
const INVITES_AT_ONCE = 25
/** Invites are looked for often: somebody waits to read there. */
const MAX_DOUBLINGS = 3
/** Rooms that still cannot be entered after so many rounds are left to the person. */
const LAST_ATTEMPTS = 5
/** Clocks of nodes differ by so much. */
const SKEW_MS = 5 * 60_000

export function createMoveTarget(deps: AccountMovesDeps): MoveTarget {
  const { store, clock, random, serverName, audit, options, client } = deps
  const imports = createBundleImport(deps)
  const sourceOf = (row: AccountMoveRow): string => parseUserId(row.old_user)!.domain

  async function readPart(row: AccountMoveRow, place: JsonObject | undefined): Promise<JsonObject> {
    const answer = await client.request({
      destination: sourceOf(row),
      method: 'POST',
      path: BUNDLE_PATH,
      body: { nonce: row.nonce!, ...(place === undefined ? {} : { place }) },
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxBytes: MAX_PART_BYTES,
    })
    const sealed = ownValue(answer, 'sealed')
    const bytes = typeof sealed === 'string' ? decodeBase64(sealed) : undefined
    const opened = bytes === undefined ? undefined : unseal(bytes, boxKeysOf(row.bundle_key!))
    const parsed = opened === undefined ? undefined : parseJson(opened)
    const part: Json | undefined = parsed?.ok === true ? parsed.value : undefined
    if (!isObject(part) || ownValue(part, 'nonce') !== row.nonce)
      throw badJson('The other node gives no part of this bundle')
    return part
  }

  async function readFirst(row: AccountMoveRow): Promise<void> {
    const part = await readPart(row, undefined)
    const head = readHead(ownValue(part, 'head'))
    if (head === undefined) throw badJson('The other node gives no head of the bundle')
    const userId = row.new_user
    await imports.profile(userId, head.profile)
    const backup = await imports.backup(userId, head.backup)
    const reading: Reading = {
      next: nextOf(part),
      backup: backup ?? null,
      keyIds: backup === undefined ? [] : head.backup!.keyIds,
      parts: 1,
    }
    await store.write('accountMoves.head', function* () {
      yield* imports.pushRules(userId, head.pushRules)
      yield* insertMoveRooms(
        row.move_id,
        head.rooms.map(({ roomId }) => roomId),
        NEVER - 1,
      )
      yield* takeStep(audit, row, { step: 'reading', place: JSON.stringify(reading), dueTs: clock.now() })
    })
    arrived(userId)
  }

  const nextOf = (part: JsonObject): JsonObject | null => {
    const next = ownValue(part, 'next')
    return isObject(next) && readPlace(next) !== undefined ? next : null
  }

  function arrived(userId: string): void {
    deps.pushRules.forget(userId)
    deps.notifier.notify([userId])
  }

  /** Reads on, a part at a time: what is stored of each, and how far the reading is, is on disk before the next. */
  async function readOn(found: AccountMoveRow): Promise<void> {
    let row = found
    for (let n = 0; n < PARTS_AT_ONCE; n++) {
      const reading = JSON.parse(row.place!) as Reading
      if (reading.next === null || reading.parts >= MAX_PARTS) {
        // The key has done what it is for: nobody can read the bundle with what is stored here from now on.
        await store.write('accountMoves.received', () =>
          takeStep(audit, row, { step: 'received', bundleKey: null, place: null, dueTs: clock.now() }),
        )
        return
      }
      const part = await readPart(row, reading.next)
      const keys = ownValue(part, 'keys')
      const { backup } = reading
      const isTaken = backup === null || !isObject(keys) || (await imports.keys(row.new_user, backup, keys))
      const entries = readEntries(ownValue(part, 'data'))
      const isAtKeys = readPlace(nextOf(part) ?? undefined)?.at === 'keys'
      const next: Reading = {
        ...reading,
        // Without a backup that takes them there is no need of keys.
        next: isAtKeys && (backup === null || !isTaken) ? null : nextOf(part),
        parts: reading.parts + 1,
      }
      const place = JSON.stringify(next)
      const change = { step: 'reading', place, dueTs: clock.now() }
      const isFirst = await store.write('accountMoves.part', function* () {
        yield* imports.data(row.new_user, entries, reading.keyIds)
        return yield* stepAccountMove(row, change)
      })
      if (!isFirst) return
      row = { ...row, place }
      if (entries.length > 0) arrived(row.new_user)
    }
  }

  async function tell(row: AccountMoveRow): Promise<void> {
    await client.request({
      destination: sourceOf(row),
      method: 'POST',
      path: PROGRESS_PATH,
      body: { nonce: row.nonce!, step: 'received' },
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxBytes: 4_096,
    })
    await store.write('accountMoves.joining', () =>
      takeStep(audit, row, { step: 'joining', dueTs: clock.now() }),
    )
  }

  /**
   * Joins where the old account has invited the new one: an event that its server has signed, not the list in the bundle. What the list says of other rooms is
   * for people to read.
   */
  async function joinInvited(
    row: AccountMoveRow,
  ): Promise<{ readonly joined: number; readonly left: number }> {
    const all = await store.read('accountMoves.invites', () => ownMemberships(row.new_user, ['invite']))
    const invites = all.filter(({ sender }) => sender === row.old_user)
    // What cannot be entered now stands in nobody's way.
    const from = invites.length > INVITES_AT_ONCE ? (row.attempts * INVITES_AT_ONCE) % invites.length : 0
    let joined = 0
    for (const { room_id: roomId } of invites.slice(from, from + INVITES_AT_ONCE)) {
      try {
        await deps.memberships.join(requesterOf(row.new_user), { room: roomId, via: [sourceOf(row)] })
        joined++
        await store.write('accountMoves.joined', () =>
          setMoveRoom({
            move_id: row.move_id,
            room_id: roomId,
            step: 'joined',
            detail: null,
            attempts: 0,
            due_ts: NEVER,
          }),
        )
      } catch (error) {
        const { words, isFault } = failureOf(error)
        if (isFault)
          deps.logger.error({ err: error, roomId }, 'a room of an account that moved makes trouble')
        await store.write('accountMoves.notJoined', () =>
          setMoveRoom({
            move_id: row.move_id,
            room_id: roomId,
            step: 'invited',
            detail: words,
            attempts: 0,
            due_ts: NEVER - 1,
          }),
        )
      }
    }
    return { joined, left: invites.length - joined }
  }

  async function join(row: AccountMoveRow): Promise<void> {
    const { joined, left } = await joinInvited(row)
    const isOver =
      row.not_after <= clock.now() ||
      (row.step === 'finished' && (left === 0 || (joined === 0 && row.attempts >= LAST_ATTEMPTS)))
    await store.write('accountMoves.after', function* () {
      if (isOver) {
        yield* endMoveRooms(row.move_id, 'There was no invite to this room')
        yield* takeStep(audit, row, { step: 'done', dueTs: NEVER })
        return
      }
      const attempts = joined > 0 ? 0 : row.attempts + 1
      const due = Math.min(row.not_after, clock.now() + waitMs(options, Math.min(attempts, MAX_DOUBLINGS)))
      yield* postponeAccountMove(row, attempts, due, null)
    })
  }

  return {
    async expect(oldUser, newUser) {
      const circle = circleOf(deps)
      const id = parseUserId(oldUser)
      if (id === undefined) throw invalidParam(`${oldUser} is not a user id`)
      if (id.domain === serverName)
        throw invalidParam(`${oldUser} is of this server: nobody moves within one`)
      if (!circle.isMember(id.domain)) throw invalidParam(`${id.domain} is no member of the node list`)
      const now = clock.now()
      const row = {
        side: 'target',
        old_user: oldUser,
        new_user: newUser,
        step: 'expected',
        nonce: null,
        certificate: null,
        consent: 0,
        reason: '',
        created_ts: now,
        not_after: now + options.lifetimeMs,
        due_ts: now + options.lifetimeMs,
      } as const
      await store.write('accountMoves.expect', function* () {
        const user = yield* userById(newUser)
        const isPerson =
          user !== undefined &&
          user.deactivated === 0 &&
          user.locked === 0 &&
          user.is_guest === 0 &&
          user.appservice_id === null
        if (!isPerson) throw invalidParam(`${newUser} is no account of a person here that is in use`)
        const others = [...(yield* accountMovesOf(oldUser)), ...(yield* accountMovesOf(newUser))]
        if (others.some(({ step }) => !OVER.has(step)))
          throw forbidden('One of the two accounts moves already')
        yield* insertAccountMove(row)
        yield* audit.record(actOf(row, 'expected', OPERATOR))
      })
    },

    async cancel(newUser) {
      await store.write('accountMoves.cancel', function* () {
        const row = (yield* accountMovesOf(newUser)).find((one) => isTo(one, newUser) && !OVER.has(one.step))
        if (row === undefined) throw noSuchMove()
        if (row.step !== 'expected' && row.step !== 'certified')
          throw forbidden('This move cannot be called off any more')
        yield* takeStep(audit, row, { step: 'cancelled', bundleKey: null, dueTs: NEVER }, OPERATOR)
      })
    },

    async offer(origin, given) {
      const { checks, isMember } = circleOf(deps)
      if (!isMember(origin)) throw forbidden('Only members of the node list may offer this')
      const move = readCertificate(given)
      if (move === undefined || move.source !== origin || move.target !== serverName)
        throw badJson('This is no certificate of a move from your server to this one')
      const now = clock.now()
      if (move.issuedAt > now + SKEW_MS || move.notAfter <= now)
        throw forbidden('This certificate is of another time')
      if (!isSignedBy(given, move, origin, checks))
        throw forbidden('Your server has not signed this certificate')
      const by: Actor = { kind: 'server', id: origin }
      // The answer to an offer may have been lost: then it is given again, as it was.
      const known = await store.read('accountMoves.byNonce', () => accountMoveByNonce('target', move.nonce))
      if (known !== undefined) return answerTo(known, move)
      const row = await store.write('accountMoves.offer', function* () {
        const expected = (yield* accountMovesOf(move.newUser)).find(
          (one) => isTo(one, move.newUser) && one.old_user === move.oldUser && one.step === 'expected',
        )
        if (expected === undefined || expected.not_after <= now) throw noSuchMove()
        const change = {
          step: 'certified',
          nonce: move.nonce,
          certificate: canonicalJson(signCertificate(given, deps.signer)),
          bundleKey: newBoxKeys(random).secretKey,
          notAfter: move.notAfter,
          dueTs: now,
        }
        if (!(yield* takeStep(audit, { ...expected, nonce: move.nonce }, change, by))) throw noSuchMove()
        return { ...expected, ...change, bundle_key: change.bundleKey }
      })
      return answerTo(row, move)
    },

    async finished(origin, nonce) {
      const row = await store.read('accountMoves.byNonce', () => accountMoveByNonce('target', nonce))
      if (row === undefined || sourceOf(row) !== origin) throw noSuchMove()
      if (row.step === 'finished' || row.step === 'done') return
      if (row.step !== 'joining') throw noSuchMove()
      const by: Actor = { kind: 'server', id: origin }
      await store.write('accountMoves.finished', () =>
        takeStep(audit, row, { step: 'finished', dueTs: clock.now() }, by),
      )
    },

    async advance(row) {
      const isBefore = ['expected', 'certified', 'reading', 'received'].includes(row.step)
      if (isBefore && row.not_after <= clock.now()) {
        await store.write('accountMoves.expire', () =>
          takeStep(audit, row, { step: 'expired', bundleKey: null, place: null, dueTs: NEVER }),
        )
        return
      }
      switch (row.step as TargetStep) {
        case 'certified':
          return await readFirst(row)
        case 'reading':
          return await readOn(row)
        case 'received':
          return await tell(row)
        case 'joining':
        case 'finished':
          return await join(row)
        default:
      }
    },
  }

  /** Throws M_NOT_FOUND for a certificate that was used, and for another one under its nonce. */
  function answerTo(
    row: Pick<AccountMoveRow, 'certificate' | 'bundle_key' | 'step'>,
    move: AccountMove,
  ): JsonObject {
    const certificate = JSON.parse(row.certificate ?? 'null') as JsonObject | null
    const known = certificate === null ? undefined : provenMove(certificate, circleOf(deps).checks)
    const isSame = known !== undefined && known.oldUser === move.oldUser && known.newUser === move.newUser
    if (certificate === null || !isSame || row.bundle_key === null || row.step !== 'certified')
      throw noSuchMove()
    const { publicKey } = boxKeysOf(row.bundle_key)
    return { certificate, key: signJson(bundleKeyJson(move.nonce, publicKey), deps.signer) }
  }
}

const isTo = (row: AccountMoveRow, userId: string): boolean =>
  row.side === 'target' && row.new_user === userId
