import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Static, TObject, TSchema } from 'typebox'
import type { Json, JsonObject } from '../core/json/value.js'
import type { Requester } from '../services/requester.js'
import type { Services } from '../services/services.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/**
 * Who may call: nobody in particular; a user (`user` refuses guests, `guest` admits them); a user if a token is there;
 * an application service by its own token; a server administrator; a server, by its request signature.
 */
export type Auth = 'none' | 'user' | 'guest' | 'optional-user' | 'appservice' | 'admin' | 'server'

export interface RequesterOf {
  none: undefined
  user: Requester
  guest: Requester
  'optional-user': Requester | undefined
  appservice: Requester
  admin: Requester
  server: undefined
}

/** The named budgets of `rate_limits` in the configuration. */
export type RateLimit =
  | 'login'
  | 'registration'
  | 'message'
  | 'join'
  | 'invite'
  | 'create_room'
  | 'membership'
  | 'activity'
  | 'write'
  | 'read'
  | 'sync'
  | 'public'
  | 'keys'
  | 'directory'
  | 'media'
  | 'federation'
  | 'member_search'

type PathParams = Readonly<Record<string, string>>

export interface Call<A extends Auth, Q, B> {
  readonly requester: RequesterOf[A]
  /** The server that signed the request (auth `server`), else the empty string. */
  readonly origin: string
  /** Path parameters, decoded. */
  readonly params: PathParams
  readonly query: Q
  readonly body: B
  readonly request: {
    /** The id in the log and in `X-Request-Id`. */
    readonly id: string
    /** The client's address; a forwarded one only from a trusted proxy. */
    readonly ip: string
    readonly userAgent: string | undefined
    readonly headers: IncomingMessage['headers']
    /** The path and query as received, not decoded. */
    readonly uri: string
    /** Aborted when the client hangs up or the server stops. */
    readonly signal: AbortSignal
    /** Aborts the signal: a request that waits answers at once. */
    readonly giveWay: () => void
    /** Throws M_UNKNOWN_TOKEN, M_USER_LOCKED and the like when the token has become void since; for requests that wait. */
    readonly stillAllowed: () => Promise<void>
    /** The request body, for routes with `body: 'stream'`. */
    readonly stream: Readable
  }
}

/** An answer other than 200 with a JSON object. */
export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object | string | Readable
}
const REPLY = Symbol('reply')
export const reply = (answer: Reply): Reply => Object.assign(answer, { [REPLY]: true })
export const isReply = (value: unknown): value is Reply =>
  typeof value === 'object' && value !== null && REPLY in value

type QueryOf<Q> = Q extends TObject ? Static<Q> : Readonly<Record<string, never>>
// The words come first: to the type checker a string is a schema too.
type BodyOf<B> = B extends 'object'
  ? JsonObject
  : B extends 'json'
    ? Json
    : B extends 'stream' | undefined
      ? undefined
      : B extends TSchema
        ? Static<B>
        : undefined

export interface Route<
  A extends Auth = Auth,
  Q extends TObject | undefined = TObject | undefined,
  B extends TSchema | 'object' | 'json' | 'stream' | undefined =
    TSchema | 'object' | 'json' | 'stream' | undefined,
> {
  /** The specification's operationId. */
  readonly id: string
  readonly method: Method
  /** Paths as the specification writes them: `/_matrix/client/v3/rooms/{roomId}/…`. */
  readonly paths: readonly string[]
  readonly auth: A
  readonly rateLimit?: RateLimit
  /** Query parameters; integers, booleans and arrays are converted from text. Unknown ones are ignored. */
  readonly query?: Q
  /** A schema; `object`: any JSON object; `json`: any JSON; `stream`: raw bytes; absent: none is read. */
  readonly body?: B
  /**
   * `exact`: numbers that a double cannot hold stay `RawNumber` (events and everything that is signed).
   * Default `plain`: they become ordinary numbers.
   */
  readonly numbers?: 'exact' | 'plain'
  /** Bytes; default 1 MiB. */
  readonly maxBody?: number
  /** JSON members and elements, at all levels; default 20,000. */
  readonly maxValues?: number
  /** A locked account may still call it (logout). */
  readonly allowLocked?: boolean
  /** An account that has expired may still call it (logout, and what renews it). */
  readonly allowExpired?: boolean
  handler(call: Call<A, QueryOf<Q>, BodyOf<B>>, services: Services): Promise<object | Reply>
}

/** Types the handler by the route's own schemas; the table holds routes of every type. */
export function route<
  const A extends Auth,
  Q extends TObject | undefined = undefined,
  const B extends TSchema | 'object' | 'json' | 'stream' | undefined = undefined,
>(definition: Route<A, Q, B>): Route {
  return definition as unknown as Route
}

/** Path parameters by which whoever knows them may act: no log has them. */
export const SECRET_PARAMS: ReadonlySet<string> = new Set(['token', 'delayId'])

/** The client API's releases that clients still call by name. */
export const v3 = (path: string): string[] => [`/_matrix/client/v3${path}`, `/_matrix/client/r0${path}`]
export const v1 = (path: string): string[] => [`/_matrix/client/v1${path}`]
export const unstable = (path: string): string[] => [`/_matrix/client/unstable${path}`]
