import { createHash } from 'node:crypto'
import { InteractiveAuthRequired } from '../../core/errors-uia.js'
import { MatrixError } from '../../core/errors.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import * as rows from '../../storage/tables/uia.js'
import type { Store } from '../../storage/tx.js'
import type { RegistrationTokens } from './registration-tokens.js'
import type { Stage, Stages } from './uia-stages.js'

/** A list of flows; each flow is a list of stages to be passed in order. */
export type Flows = readonly (readonly string[])[]

export interface UiaRequest {
  /** Undefined for requests without an account (registration). */
  readonly userId: string | undefined
  /** What is authorised: the operationId and the path parameters that matter. Another operation needs a session of its own. */
  readonly operation: string
  readonly flows: Flows
  /** The request's `auth`, as received. */
  readonly auth: Json | undefined
  /** What the client must not change between the stages: the body without `auth`, or the part that matters. */
  readonly bound?: Json
  readonly ip: string
}

export interface UiaPass {
  /** The token given at the stage `m.login.registration_token`, still to be counted. */
  readonly registrationToken: string | undefined
}

/** Offers stages to a person on a web page, for clients that do not know them. */
export interface UiaFallback {
  /** Whether the session is alive and may go on with the stage. */
  offers(sessionId: string, stage: string): Promise<boolean>
  /** Tries the stage. Gives undefined when passed, else what to tell the person. */
  attempt(sessionId: string, stage: string, fields: JsonObject, ip: string): Promise<string | undefined>
}

/**
 * User-interactive authentication. Sessions are on disk, bound to the user, the operation and the request's content;
 * they serve once, end after a quarter of an hour, and their number is bounded.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
 */
export interface Uia {
  /** Returns once all stages of a flow are passed, and uses the session up. Else throws `InteractiveAuthRequired`. */
  require(request: UiaRequest): Promise<UiaPass>
  readonly fallback: UiaFallback
}

export interface UiaOptions {
  readonly lifetimeMs?: number
  /** All sessions together; the oldest go first. */
  readonly maxSessions?: number
}

export interface UiaDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly stages: Stages
  readonly registrationTokens: RegistrationTokens
  readonly options?: UiaOptions | undefined
}

const SESSION_GRAMMAR = /^[A-Za-z0-9]{24}$/
const MAX_ATTEMPTS = 10
const MAX_PER_USER = 20
/** Sessions between two sweeps. */
const SWEEP_EVERY = 50

/** The session of a request; one that is not stored yet has no id. */
interface Session {
  readonly id: string | undefined
  readonly completed: readonly string[]
  readonly registrationToken: string | undefined
}

interface Failure {
  readonly errcode: string
  readonly error: string
}

const NEW_SESSION: Session = { id: undefined, completed: [], registrationToken: undefined }

const boundHash = (bound: Json | undefined): string =>
  createHash('sha256')
    .update(JSON.stringify(bound ?? null))
    .digest('base64url')

/** Whether some flow begins with the stages passed so far and goes on with this one. */
function isNext(flows: Flows, completed: readonly string[], stage: string): boolean {
  return flows.some(
    (flow) => flow[completed.length] === stage && completed.every((passed, at) => flow[at] === passed),
  )
}

const isComplete = (flows: Flows, completed: readonly string[]): boolean =>
  flows.some((flow) => flow.length === completed.length && flow.every((stage, at) => completed[at] === stage))

export function createUia(deps: UiaDeps): Uia {
  const { store, clock, random, stages, registrationTokens } = deps
  const { lifetimeMs = 15 * 60_000, maxSessions = 20_000 } = deps.options ?? {}
  let sinceSweep = SWEEP_EVERY

  async function insert(request: UiaRequest, session: Session): Promise<string> {
    const id = random.string(24)
    const now = clock.now()
    const sweep = ++sinceSweep > SWEEP_EVERY
    if (sweep) sinceSweep = 0
    await store.write('uia.begin', function* () {
      if (sweep) yield* rows.pruneUiaSessions(now, maxSessions)
      yield* rows.insertUiaSession({
        session_id: id,
        user_id: request.userId ?? null,
        operation: request.operation,
        bound_hash: boundHash(request.bound),
        flows: JSON.stringify(request.flows),
        completed: JSON.stringify(session.completed),
        attempts: 0,
        registration_token: session.registrationToken ?? null,
        created_ts: now,
        expires_ts: now + lifetimeMs,
      })
      if (request.userId !== undefined) yield* rows.pruneUiaSessionsOfUser(request.userId, MAX_PER_USER)
    })
    return id
  }

  /** The 401 that says how to go on. */
  async function challenge(
    request: UiaRequest,
    session: Session,
    failure?: Failure,
  ): Promise<InteractiveAuthRequired> {
    const id = session.id ?? (await insert(request, session))
    return new InteractiveAuthRequired({
      ...failure,
      session: id,
      flows: request.flows.map((flow) => ({ stages: flow })),
      params: {},
      completed: session.completed,
    })
  }

  async function load(request: UiaRequest, sessionId: string): Promise<Session | undefined> {
    if (!SESSION_GRAMMAR.test(sessionId)) return undefined
    const row = await store.read('uia.session', () => rows.uiaSessionById(sessionId, clock.now()))
    if (
      row === undefined ||
      row.user_id !== (request.userId ?? null) ||
      row.operation !== request.operation ||
      row.bound_hash !== boundHash(request.bound)
    )
      return undefined
    return {
      id: row.session_id,
      completed: JSON.parse(row.completed) as string[],
      registrationToken: row.registration_token ?? undefined,
    }
  }

  /** Records a passed stage. Gives undefined when the session is gone, moved on, or the last use of a token was taken meanwhile. */
  async function advance(
    session: Session,
    stage: string,
    token: string | undefined,
  ): Promise<Session | undefined> {
    const completed = [...session.completed, stage]
    const next: Session = {
      id: session.id,
      completed,
      registrationToken: token ?? session.registrationToken,
    }
    const { id } = session
    if (id === undefined) return next
    const recorded = await store.write('uia.advance', function* () {
      // Asked again in the transaction that reserves the use, so that two sessions do not reserve the same one.
      if (token !== undefined && !(yield* registrationTokens.available(token))) return false
      return yield* rows.setUiaCompleted(
        id,
        JSON.stringify(session.completed),
        JSON.stringify(completed),
        token ?? null,
      )
    })
    return recorded ? next : undefined
  }

  /** Counts a failed attempt; a session that saw too many ends. */
  async function failed(session: Session): Promise<Session> {
    const { id } = session
    if (id === undefined) return session
    const over = await store.write('uia.failed', function* () {
      const attempts = yield* rows.countUiaAttempt(id)
      if (attempts !== undefined && attempts < MAX_ATTEMPTS) return false
      yield* rows.deleteUiaSession(id)
      return true
    })
    return over ? NEW_SESSION : session
  }

  const failureOf = (error: unknown): Failure => {
    if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
    return { errcode: error.errcode, error: error.message }
  }

  async function finish(session: Session): Promise<UiaPass | undefined> {
    const { id } = session
    if (id !== undefined && !(await store.write('uia.finish', () => rows.deleteUiaSession(id))))
      return undefined
    return { registrationToken: session.registrationToken }
  }

  async function require(request: UiaRequest): Promise<UiaPass> {
    const { auth, flows } = request
    if (flows.length === 0)
      throw new MatrixError('M_FORBIDDEN', 'This account has no way to confirm the request')
    if (!isObject(auth)) throw await challenge(request, NEW_SESSION)

    let session = NEW_SESSION
    const sessionId = auth['session']
    if (typeof sessionId === 'string') {
      const known = await load(request, sessionId)
      if (known === undefined)
        throw await challenge(request, NEW_SESSION, {
          errcode: 'M_UNKNOWN',
          error: 'The session is over, or belongs to another request',
        })
      session = known
    }

    const stage = auth['type']
    if (typeof stage === 'string' && !session.completed.includes(stage)) {
      const attempt = isNext(flows, session.completed, stage) ? stages.get(stage) : undefined
      if (attempt === undefined)
        throw await challenge(request, session, {
          errcode: 'M_FORBIDDEN',
          error: 'This stage is not the next one of any flow',
        })
      session = await tryStage(request, session, stage, attempt, auth)
    }
    if (isComplete(flows, session.completed)) {
      const pass = await finish(session)
      if (pass !== undefined) return pass
      session = NEW_SESSION
    }
    throw await challenge(request, session)
  }

  async function tryStage(
    request: UiaRequest,
    session: Session,
    name: string,
    stage: Stage,
    auth: JsonObject,
  ): Promise<Session> {
    let passed: Session | undefined
    try {
      const pass = await stage(auth, { userId: request.userId, ip: request.ip })
      passed = await advance(session, name, pass.registrationToken)
    } catch (error) {
      const failure = failureOf(error)
      throw await challenge(request, await failed(session), failure)
    }
    if (passed === undefined)
      throw await challenge(request, NEW_SESSION, {
        errcode: 'M_UNKNOWN',
        error: 'The session has been used',
      })
    return passed
  }

  async function loadForWeb(
    sessionId: string,
    stage: string,
  ): Promise<{ session: Session; userId: string | undefined; stage: Stage } | undefined> {
    if (!SESSION_GRAMMAR.test(sessionId)) return undefined
    const row = await store.read('uia.session', () => rows.uiaSessionById(sessionId, clock.now()))
    const attempt = stages.get(stage)
    if (row === undefined || attempt === undefined) return undefined
    const completed = JSON.parse(row.completed) as string[]
    if (!isNext(JSON.parse(row.flows) as string[][], completed, stage)) return undefined
    return {
      session: { id: row.session_id, completed, registrationToken: row.registration_token ?? undefined },
      userId: row.user_id ?? undefined,
      stage: attempt,
    }
  }

  const OVER = 'This session is over. Please begin again in your client.'
  return {
    require,
    fallback: {
      offers: async (sessionId, stage) => (await loadForWeb(sessionId, stage)) !== undefined,
      async attempt(sessionId, stage, fields, ip) {
        const loaded = await loadForWeb(sessionId, stage)
        if (loaded === undefined) return OVER
        try {
          const pass = await loaded.stage(fields, { userId: loaded.userId, ip })
          return (await advance(loaded.session, stage, pass.registrationToken)) === undefined
            ? OVER
            : undefined
        } catch (error) {
          const { error: words } = failureOf(error)
          return (await failed(loaded.session)).id === undefined ? OVER : words
        }
      },
    },
  }
}
