import { createHash } from 'node:crypto'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import type { Json } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import * as rows from '../../storage/tables/uia.js'
import type { Store } from '../../storage/tx.js'
import type { RegistrationTokens } from './registration-tokens.js'
import type { StagePass } from './uia-stages.js'

/** A list of flows; each flow is a list of stages to be passed in order. */
export type Flows = readonly (readonly string[])[]

/** The session of a request; one that is not stored yet has no id. */
export interface UiaSession {
  readonly id: string | undefined
  readonly completed: readonly string[]
  readonly registrationToken: string | undefined
  /** The proof of an address, still to be used. */
  readonly threepidSession: string | undefined
}

/** What a session is bound to. */
export interface UiaBinding {
  /** Undefined for requests without an account (registration). */
  readonly userId: string | undefined
  /** What is authorised: the operationId and the path parameters that matter. Another operation needs a session of its own. */
  readonly operation: string
  readonly flows: Flows
  /** What the client must not change between the stages: the body without `auth`, or the part that matters. */
  readonly bound?: Json
}

export interface StoredUiaSession {
  readonly session: UiaSession
  readonly userId: string | undefined
  readonly operation: string
  readonly flows: Flows
}

/** Sessions of interactive authentication on disk. */
export interface UiaSessions {
  /** Stores a session and gives its id. */
  begin(binding: UiaBinding, session: UiaSession): Promise<string>
  /** Undefined for sessions that are over or belong to another request. */
  load(binding: UiaBinding, sessionId: string): Promise<UiaSession | undefined>
  /** By the id alone: for web pages, where the id is the proof. */
  find(sessionId: string): Promise<StoredUiaSession | undefined>
  /** Records a passed stage. Undefined when the session is gone, moved on, or a token's last use was taken meanwhile. */
  advance(session: UiaSession, stage: string, pass: StagePass): Promise<UiaSession | undefined>
  /** Counts a failed attempt; a session that saw too many ends, and a new one is given. */
  failed(session: UiaSession): Promise<UiaSession>
  /** Uses the session up. False when somebody else has. */
  finish(session: UiaSession): Promise<boolean>
}

export interface UiaOptions {
  readonly lifetimeMs?: number
  /** All sessions together; the oldest go first. */
  readonly maxSessions?: number
}

export const NEW_SESSION: UiaSession = {
  id: undefined,
  completed: [],
  registrationToken: undefined,
  threepidSession: undefined,
}

const SESSION_GRAMMAR = /^[A-Za-z0-9]{24}$/
const MAX_ATTEMPTS = 10
const MAX_PER_USER = 20
/** Sessions between two sweeps. */
const SWEEP_EVERY = 50

/** Canonical where that is possible: a client may write the same content in another order the second time. */
function hashOf(bound: Json = null): string {
  const canonical = tryCanonicalJson(bound, 'lenient')
  return createHash('sha256')
    .update(canonical.ok ? canonical.text : JSON.stringify(bound))
    .digest('base64url')
}

export function createUiaSessions(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly registrationTokens: RegistrationTokens
  readonly options?: UiaOptions | undefined
}): UiaSessions {
  const { store, clock, random, registrationTokens } = deps
  const { lifetimeMs = 15 * 60_000, maxSessions = 20_000 } = deps.options ?? {}
  let sinceSweep = SWEEP_EVERY

  async function row(sessionId: string): Promise<rows.UiaSessionRow | undefined> {
    if (!SESSION_GRAMMAR.test(sessionId)) return undefined
    return await store.read('uia.session', () => rows.uiaSessionById(sessionId, clock.now()))
  }

  const toSession = (found: rows.UiaSessionRow): UiaSession => ({
    id: found.session_id,
    completed: JSON.parse(found.completed) as string[],
    registrationToken: found.registration_token ?? undefined,
    threepidSession: found.threepid_session ?? undefined,
  })

  return {
    async begin({ userId, operation, flows, bound }, session) {
      const id = random.string(24)
      const now = clock.now()
      const sweep = ++sinceSweep > SWEEP_EVERY
      if (sweep) sinceSweep = 0
      await store.write('uia.begin', function* () {
        if (sweep) yield* rows.pruneUiaSessions(now, maxSessions)
        yield* rows.insertUiaSession({
          session_id: id,
          user_id: userId ?? null,
          operation,
          bound_hash: hashOf(bound),
          flows: JSON.stringify(flows),
          completed: JSON.stringify(session.completed),
          attempts: 0,
          registration_token: session.registrationToken ?? null,
          threepid_session: session.threepidSession ?? null,
          created_ts: now,
          expires_ts: now + lifetimeMs,
        })
        if (userId !== undefined) yield* rows.pruneUiaSessionsOfUser(userId, MAX_PER_USER)
      })
      return id
    },

    async load({ userId, operation, bound }, sessionId) {
      const found = await row(sessionId)
      const matches =
        found !== undefined &&
        found.user_id === (userId ?? null) &&
        found.operation === operation &&
        found.bound_hash === hashOf(bound)
      return matches ? toSession(found) : undefined
    },

    async find(sessionId) {
      const found = await row(sessionId)
      if (found === undefined) return undefined
      return {
        session: toSession(found),
        userId: found.user_id ?? undefined,
        operation: found.operation,
        flows: JSON.parse(found.flows) as string[][],
      }
    },

    async advance(session, stage, { registrationToken: token, threepidSession }) {
      const { id } = session
      const completed = [...session.completed, stage]
      const next = {
        id,
        completed,
        registrationToken: token ?? session.registrationToken,
        threepidSession: threepidSession ?? session.threepidSession,
      }
      if (id === undefined) return next
      const recorded = await store.write('uia.advance', function* () {
        // Asked again in the transaction that reserves the use, so that two sessions do not reserve the same one.
        if (token !== undefined && !(yield* registrationTokens.available(token))) return false
        return yield* rows.setUiaCompleted(id, JSON.stringify(session.completed), JSON.stringify(completed), {
          registrationToken: token ?? null,
          threepidSession: threepidSession ?? null,
        })
      })
      return recorded ? next : undefined
    },

    async failed(session) {
      const { id } = session
      if (id === undefined) return session
      const over = await store.write('uia.failed', function* () {
        const attempts = yield* rows.countUiaAttempt(id)
        if (attempts !== undefined && attempts < MAX_ATTEMPTS) return false
        yield* rows.deleteUiaSession(id)
        return true
      })
      return over ? NEW_SESSION : session
    },

    async finish({ id }) {
      return id === undefined || (await store.write('uia.finish', () => rows.deleteUiaSession(id)))
    },
  }
}
