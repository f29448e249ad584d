import { InteractiveAuthRequired } from '../../core/errors-uia.js'
import { MatrixError } from '../../core/errors.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import { OtherAccount, type Stage, type Stages } from './uia-stages.js'
import {
  NEW_SESSION,
  type Flows,
  type StoredUiaSession,
  type UiaBinding,
  type UiaSession,
  type UiaSessions,
} from './uia-sessions.js'

export interface UiaRequest extends UiaBinding {
  /** The request's `auth`, as received. */
  readonly auth: Json | undefined
  readonly ip: string
}

export interface UiaPass {
  /** The token given at the stage `m.login.registration_token`, still to be counted. */
  readonly registrationToken: string | undefined
  /** The proof given at the stage `m.login.email.identity`, still to be taken. */
  readonly threepidSession: string | undefined
}

/** Offers stages to a person on a web page, for clients that do not know them. */
export interface UiaFallback {
  /** The operation of a session that is alive and may go on with the stage. */
  offers(sessionId: string, stage: string): Promise<string | undefined>
  /** Tries the stage. Gives undefined when passed, else what to tell the person. */
  attempt(sessionId: string, stage: string, fields: JsonObject, ip: string): Promise<string | undefined>
}

/**
 * User-interactive authentication. Sessions are on disk, bound to the user, the operation and the request's content;
 * they serve once, end after a quarter of an hour, and their number is bounded.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
 */
export interface Uia {
  /**
   * Returns once all stages of a flow are passed, and uses the session up. Else throws `InteractiveAuthRequired`;
   * M_FORBIDDEN without flows or when the client names another account, M_LIMIT_EXCEEDED where a stage does.
   */
  require(request: UiaRequest): Promise<UiaPass>
  readonly fallback: UiaFallback
}

interface Failure {
  readonly errcode: string
  readonly error: string
}

const OVER = 'This session is over. Please begin again in your client.'

/** Whether some flow begins with the stages passed so far and goes on with this one. */
function isNext(flows: Flows, completed: readonly string[], stage: string): boolean {
  return flows.some(
    (flow) => flow[completed.length] === stage && completed.every((passed, at) => flow[at] === passed),
  )
}

const isComplete = (flows: Flows, completed: readonly string[]): boolean =>
  flows.some((flow) => flow.length === completed.length && flow.every((stage, at) => completed[at] === stage))

/** What to tell the client; an error that is not about the stage itself goes on as it is. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
  // NOTSPEC: a stage that fails answers 401; naming somebody else is refused as by all other servers.
  if (error instanceof OtherAccount) throw error
  return { errcode: error.errcode, error: error.message }
}

/** Clients ask again every other second whether the person has opened the mail: that guesses nothing. */
const isWaiting = (failure: Failure): boolean => failure.errcode === 'M_THREEPID_AUTH_FAILED'

export function createUia(deps: { readonly stages: Stages; readonly sessions: UiaSessions }): Uia {
  const { stages, sessions } = deps

  /** The 401 that says how to go on. */
  async function challenge(
    request: UiaRequest,
    session: UiaSession,
    failure?: Failure,
  ): Promise<InteractiveAuthRequired> {
    const id = session.id ?? (await sessions.begin(request, session))
    return new InteractiveAuthRequired({
      ...failure,
      session: id,
      flows: request.flows.map((flow) => ({ stages: flow })),
      params: {},
      completed: session.completed,
    })
  }

  async function sessionOf(request: UiaRequest, sessionId: Json | undefined): Promise<UiaSession> {
    if (typeof sessionId !== 'string') return NEW_SESSION
    const known = await sessions.load(request, sessionId)
    if (known !== undefined) return known
    throw await challenge(request, NEW_SESSION, {
      errcode: 'M_UNKNOWN',
      error: 'The session is over, or belongs to another request',
    })
  }

  async function tryStage(
    request: UiaRequest,
    session: UiaSession,
    name: string,
    auth: JsonObject,
  ): Promise<UiaSession> {
    const stage = isNext(request.flows, session.completed, name) ? stages.get(name) : undefined
    if (stage === undefined)
      throw await challenge(request, session, {
        errcode: 'M_FORBIDDEN',
        error: 'This stage is not the next one of any flow',
      })
    let passed: UiaSession | undefined
    try {
      const pass = await stage(auth, {
        userId: request.userId,
        operation: request.operation,
        ip: request.ip,
      })
      passed = await sessions.advance(session, name, pass)
    } catch (error) {
      const failure = failureOf(error)
      throw await challenge(request, isWaiting(failure) ? session : await sessions.failed(session), failure)
    }
    if (passed !== undefined) return passed
    throw await challenge(request, NEW_SESSION, { errcode: 'M_UNKNOWN', error: 'The session has been used' })
  }

  async function require(request: UiaRequest): Promise<UiaPass> {
    const { auth, flows } = request
    if (flows.length === 0)
      throw new MatrixError('M_FORBIDDEN', 'This account has no way to confirm the request')
    if (!isObject(auth)) throw await challenge(request, NEW_SESSION)
    let session = await sessionOf(request, auth['session'])
    const stage = auth['type']
    // A stage that was passed before is not tried again: the client only wants to know how to go on.
    if (typeof stage === 'string' && !session.completed.includes(stage))
      session = await tryStage(request, session, stage, auth)
    if (!isComplete(flows, session.completed)) throw await challenge(request, session)
    if (!(await sessions.finish(session))) throw await challenge(request, NEW_SESSION)
    return { registrationToken: session.registrationToken, threepidSession: session.threepidSession }
  }

  async function offered(
    sessionId: string,
    name: string,
  ): Promise<(StoredUiaSession & { readonly stage: Stage }) | undefined> {
    const found = await sessions.find(sessionId)
    const stage = stages.get(name)
    if (found === undefined || stage === undefined) return undefined
    return isNext(found.flows, found.session.completed, name) ? { ...found, stage } : undefined
  }

  return {
    require,
    fallback: {
      offers: async (sessionId, stage) => (await offered(sessionId, stage))?.operation,
      async attempt(sessionId, name, fields, ip) {
        const found = await offered(sessionId, name)
        if (found === undefined) return OVER
        const { session, stage, userId, operation } = found
        try {
          const pass = await stage(fields, { userId, operation, ip })
          return (await sessions.advance(session, name, pass)) === undefined ? OVER : undefined
        } catch (error) {
          const failure = failureOf(error)
          const { error: words } = failure
          if (isWaiting(failure)) return words
          return (await sessions.failed(session)).id === undefined ? OVER : words
        }
      },
    },
  }
}
