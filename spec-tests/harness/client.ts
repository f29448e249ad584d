import { assertContract, ContractError } from '../contract/contract.js'
import { PATIENCE_MS, waitFor } from './patience.js'

/**
 * A bare client of the client-server API: what it sends and gets is what the test says, nothing more. An answer that the
 * specification does not allow fails the test.
 */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The JSON body; `{}` where there is none. */
  // Tests look at whatever is there.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  /** The body as it came. */
  readonly bytes: Buffer
}

export interface CallOptions {
  readonly token?: string | undefined
  /** An object is sent as JSON; a string or bytes as they are. */
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Why this answer is not compared with the specification. */
  readonly uncheckedBecause?: string
}

function parsedBody(bytes: Buffer): unknown {
  const text = bytes.toString()
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch {
    return text
  }
}
const bytesOf = async (answer: Response): Promise<Buffer> => Buffer.from(await answer.arrayBuffer())

/** A request and its answer. A server of somebody else that says "later" is asked again later; see `patience.ts`. */
export async function call(
  base: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const url = new URL(base + path)
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  const { body } = options
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const request = {
    method,
    headers: {
      ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
  }
  let answer = await fetch(url, request)
  let bytes = await bytesOf(answer)
  let parsed = parsedBody(bytes)
  while (answer.status === 429 && PATIENCE_MS > 0) {
    await waitFor(`${method} ${url.pathname}`, answer.headers.get('retry-after'), parsed)
    answer = await fetch(url, request)
    bytes = await bytesOf(answer)
    parsed = parsedBody(bytes)
  }
  const seen = { method, path: url.pathname, status: answer.status, body: parsed }
  for (const watch of watchers) watch(seen)
  if (!options.uncheckedBecause) {
    const contentType = answer.headers.get('content-type')
    try {
      assertContract({ ...seen, contentType })
    } catch (error) {
      if (keeper === undefined || !(error instanceof ContractError)) throw error
      keeper(seen, error)
    }
  }
  return { status: answer.status, headers: answer.headers, body: parsed, bytes }
}

/** What was asked and answered, for those who count. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly body: unknown
}
const watchers = new Set<(exchange: Exchange) => void>()

/** Calls the function for every answer from now on; gives what ends it. */
export function watchCalls(watch: (exchange: Exchange) => void): () => void {
  watchers.add(watch)
  return () => void watchers.delete(watch)
}

let keeper: ((exchange: Exchange, fault: ContractError) => void) | undefined

/**
 * From now on an answer that the definitions do not allow is given to the function, and the test goes on with it; gives what ends that.
 */
export function keepContractFaults(keep: (exchange: Exchange, fault: ContractError) => void): () => void {
  keeper = keep
  return () => {
    keeper = undefined
  }
}

/** A user with a session. */
export interface User {
  readonly userId: string
  readonly deviceId: string
  readonly token: string
  readonly base: string
  readonly password: string
  /** Why no answer to this user is compared with the specification. */
  readonly uncheckedBecause?: string | undefined
  /** Calls the API as this user. */
  call(method: string, path: string, options?: Omit<CallOptions, 'token'>): Promise<Answer>
  /** The same; anything but 200 fails the test with the answer in its message. */
  // oxlint-disable-next-line typescript/no-explicit-any
  ok(method: string, path: string, body?: unknown, query?: CallOptions['query']): Promise<any>
}

export const v3 = (path: string): string => `/_matrix/client/v3${path}`

/**
 * What a log-in or a registration answered, as a user.
 * @param uncheckedBecause why no answer to this user is compared with the specification, as where another server gives them
 */
export function session(base: string, password: string, answer: Answer, uncheckedBecause?: string): User {
  const token = answer.body.access_token as string
  const user: User = {
    userId: answer.body.user_id,
    deviceId: answer.body.device_id,
    token,
    base,
    password,
    uncheckedBecause,
    call: (method, path, options) =>
      call(base, method, path, { ...(uncheckedBecause && { uncheckedBecause }), ...options, token }),
    async ok(method, path, body, query) {
      const result = await user.call(method, path, {
        body: body ?? (method === 'POST' || method === 'PUT' ? {} : undefined),
        ...(query === undefined ? {} : { query }),
      })
      if (result.status !== 200)
        throw new Error(`${method} ${path}: ${result.status} ${JSON.stringify(result.body)}`)
      return result.body
    },
  }
  return user
}

let counter = 0

/** Registers a user where registration is open. */
export async function register(base: string, name = 'user', password = 'a good password'): Promise<User> {
  const username = `${name}-${Date.now().toString(36)}-${counter++}`
  const auth = { type: 'm.login.dummy' }
  let answer = await call(base, 'POST', v3('/register'), { body: { username, password, auth } })
  if (answer.status === 401) {
    answer = await call(base, 'POST', v3('/register'), {
      body: { username, password, auth: { ...auth, session: answer.body.session } },
    })
  }
  if (answer.status !== 200) throw new Error(`register: ${answer.status} ${JSON.stringify(answer.body)}`)
  return session(base, password, answer)
}

/** Another session of the same user. */
export async function logIn(user: User): Promise<User> {
  const answer = await call(user.base, 'POST', v3('/login'), {
    body: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: user.userId },
      password: user.password,
    },
    ...(user.uncheckedBecause && { uncheckedBecause: user.uncheckedBecause }),
  })
  if (answer.status !== 200) throw new Error(`login: ${answer.status} ${JSON.stringify(answer.body)}`)
  return session(user.base, user.password, answer, user.uncheckedBecause)
}

/** A test that fails waits this long; one that passes never does. Generous, since the machine may be busy with other things. */
const HANG_MS = 60_000

/** Polls until the condition gives something, at most `ms`. */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
  ms = HANG_MS,
): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const found = await condition()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Follows /sync from a user's first answer on. */
export interface Syncing {
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly first: any
  /** The next answer. */
  // oxlint-disable-next-line typescript/no-explicit-any
  next(timeout?: number, query?: CallOptions['query']): Promise<any>
  /** Syncs until an answer satisfies the condition, and gives what the condition gave. */
  // oxlint-disable-next-line typescript/no-explicit-any
  until<T>(what: string, condition: (answer: any) => T | undefined | false, ms?: number): Promise<T>
  since: string
}

export async function startSync(user: User, query: CallOptions['query'] = {}): Promise<Syncing> {
  const first = await user.ok('GET', v3('/sync'), undefined, query)
  const syncing: Syncing = {
    first,
    since: first.next_batch,
    async next(timeout = 0, extra = {}) {
      const answer = await user.ok('GET', v3('/sync'), undefined, {
        ...query,
        ...extra,
        since: syncing.since,
        timeout,
      })
      syncing.since = answer.next_batch
      return answer
    },
    async until(what, condition, ms = HANG_MS) {
      const end = Date.now() + ms
      for (;;) {
        const found = condition(await syncing.next(Math.min(1_000, ms)))
        if (found !== undefined && found !== false) return found
        if (Date.now() > end) throw new Error(`no sync within ${ms} ms: ${what}`)
      }
    },
  }
  return syncing
}

export const enc = encodeURIComponent

/** The path of something in a room. */
export const inRoom = (roomId: string, rest: string): string => v3(`/rooms/${enc(roomId)}/${rest}`)

export async function createRoom(user: User, body: object = {}): Promise<string> {
  return (await user.ok('POST', v3('/createRoom'), body)).room_id
}

let txn = 0
export async function sendText(user: User, roomId: string, body: string): Promise<string> {
  const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/t${Date.now()}-${txn++}`
  return (await user.ok('PUT', v3(path), { msgtype: 'm.text', body })).event_id
}
