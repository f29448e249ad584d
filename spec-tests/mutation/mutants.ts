import { isObject, type Json, type JsonObject } from '../contract/json.js'
import type { Asked, Mutant, Reply } from './proxy.js'

/** What a sound run of the operation's tests has answered, from which mutants are made. */
export interface Recording {
  readonly replies: Reply[]
}

export const recorder = (recording: Recording): Mutant => ({
  name: 'sound',
  concerns: () => true,
  async spoil(_asked, forward) {
    const reply = await forward()
    recording.replies.push(reply)
    return reply
  },
})

const isSuccess = ({ status }: Reply): boolean => status >= 200 && status < 300
const isJson = ({ headers }: Reply): boolean =>
  headers['content-type']?.startsWith('application/json') ?? false
function parsed(reply: Reply): Json | undefined {
  try {
    return isJson(reply) ? (JSON.parse(reply.body.toString()) as Json) : undefined
  } catch {
    return undefined
  }
}
const withJson = (reply: Reply, body: Json): Reply => ({ ...reply, body: Buffer.from(JSON.stringify(body)) })
const isRefusal = ({ status }: Reply): boolean => status >= 400 && status < 500
const differs = (a: Reply, b: Reply): boolean => a.status !== b.status || !a.body.equals(b.body)

/** An answer without anything in it. */
const emptied: Mutant = {
  name: 'empty answer',
  concerns: isSuccess,
  async spoil(_asked, forward, touched) {
    const reply = await forward()
    if (!isSuccess(reply)) return reply
    const value = parsed(reply)
    const body = value === undefined ? Buffer.alloc(0) : Buffer.from(Array.isArray(value) ? '[]' : '{}')
    if (!body.equals(reply.body)) touched()
    return { ...reply, body }
  },
}

/** Nothing is done, and an answer of before says that it was. */
const dropped = (earlier: Reply): Mutant => ({
  name: 'effect dropped',
  concerns: isSuccess,
  // oxlint-disable-next-line typescript/require-await
  async spoil(_asked, _forward, touched) {
    touched()
    return earlier
  },
})

/** The answer that somebody who is in the wrong gets, turned into a success. */
const refusalDropped = (earlier: Reply): Mutant => ({
  name: 'refusal becomes success',
  concerns: isRefusal,
  async spoil(_asked, forward, touched) {
    const reply = await forward()
    if (!isRefusal(reply)) return reply
    touched()
    return earlier
  },
})

const vagueRefusal: Mutant = {
  name: 'errcode becomes M_UNKNOWN',
  concerns: isRefusal,
  async spoil(_asked, forward, touched) {
    const reply = await forward()
    const value = parsed(reply)
    if (
      reply.status < 400 ||
      !isObject(value) ||
      value['errcode'] === 'M_UNKNOWN' ||
      value['flows'] !== undefined
    )
      return reply
    touched()
    return withJson(reply, { errcode: 'M_UNKNOWN', error: 'no' })
  },
}

/** What a stranger gets for the same request. */
const ofStranger = (token: string): Mutant => ({
  name: 'another user’s data',
  concerns: isSuccess,
  async spoil(asked, forward, touched) {
    const reply = await forward()
    if (!isSuccess(reply) || asked.headers.authorization === undefined) return reply
    const headers = { ...asked.headers, authorization: `Bearer ${token}` }
    const other = await forward({ headers })
    if (!isSuccess(other) || !differs(other, reply)) return reply
    touched()
    return other
  },
})

/** What somebody got who asked before, in this run of the tests or in the sound one. */
const ofBefore = (sound: readonly Reply[]): Mutant => {
  const before = new Map<string, Reply>()
  return {
    name: 'an earlier user’s answer',
    concerns: isSuccess,
    async spoil(asked, forward, touched) {
      const reply = await forward()
      if (!isSuccess(reply)) return reply
      const token = asked.headers.authorization ?? ''
      const other =
        [...before].find(([of, held]) => of !== token && differs(held, reply))?.[1] ??
        sound.find((held) => differs(held, reply))
      if (!before.has(token)) before.set(token, reply)
      if (other === undefined) return reply
      touched()
      return other
    },
  }
}

/** How deep the fields of an answer are broken. */
const STEPS = 4
/** The content of an event is data: of it a step less. */
const DATA = 'content'
/** What is a name of the specification; in maps of ids, the others are data. */
const isName = (name: string): boolean => /^[a-z][a-z0-9_.]*$/i.test(name) && name.length < 40
/** All members of a map of ids. */
const ALL = '*'
const ITEMS = '[]'

const uniquePaths = (paths: readonly string[][]): string[][] => [
  ...new Map(paths.map((path) => [path.join('\0'), path])).values(),
]

/** The paths of fields in an answer, to a depth: `rooms`, `chunk.[].event_id`, `joined.*.display_name`. */
function fieldPaths(value: Json, depth = STEPS): string[][] {
  if (depth <= 0) return []
  if (Array.isArray(value))
    return uniquePaths(value.flatMap((item) => fieldPaths(item, depth))).map((path) => [ITEMS, ...path])
  if (!isObject(value)) return []
  return uniquePaths(
    Object.entries(value).flatMap(([name, member]) => {
      const [step, left] = isName(name) ? [name, depth - (name === DATA ? 2 : 1)] : [ALL, depth]
      return [[step], ...fieldPaths(member, left).map((path) => [step, ...path])]
    }),
  )
}

function without(value: Json, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return false
  if (name === ITEMS) {
    if (!Array.isArray(value)) return false
    return value.map((item) => without(item, rest)).some(Boolean)
  }
  if (!isObject(value)) return false
  if (name === ALL) {
    const ids = Object.keys(value).filter((id) => !isName(id))
    return ids.map((id) => without(value, [id, ...rest])).some(Boolean)
  }
  if (!Object.hasOwn(value, name)) return false
  if (rest.length > 0) return without(value[name]!, rest)
  delete value[name]
  return true
}

const fieldRemoved = (path: readonly string[], having: ReadonlySet<Reply>): Mutant => ({
  name: `without ${path.join('.')}`,
  concerns: (reply) => having.has(reply),
  async spoil(_asked: Asked, forward, touched) {
    const reply = await forward()
    const value = isSuccess(reply) ? parsed(reply) : undefined
    if (value === undefined || !without(value, path)) return reply
    touched()
    return withJson(reply, value)
  },
})

/** More would be the same again. */
const MAX_FIELDS = 120
/** Servers may leave these out, or they say nothing that a test could know. */
const OPTIONAL = new Set([
  'age',
  'unsigned',
  'home_server',
  'last_seen_ip',
  'last_seen_ts',
  'last_seen_user_agent',
  'well_known',
  'membership',
])

/** The ways in which an operation can be broken, made from what its sound tests were answered. */
export function mutantsOf(method: string, recording: Recording, strangerToken: string): Mutant[] {
  const successes = recording.replies.filter(isSuccess)
  const earlier = successes.at(-1)
  const fields = new Map<string, { readonly path: string[]; readonly having: Set<Reply> }>()
  for (const reply of successes) {
    const value: Json | undefined = parsed(reply)
    if (value === undefined) continue
    for (const path of fieldPaths(value as JsonObject)) {
      if (OPTIONAL.has(path.at(-1)!)) continue
      const key = path.join('\0')
      const field = fields.get(key) ?? { path, having: new Set() }
      field.having.add(reply)
      fields.set(key, field)
    }
  }
  return [
    emptied,
    ...(method === 'GET' || earlier === undefined ? [] : [dropped(earlier)]),
    ...(earlier === undefined ? [] : [refusalDropped(earlier)]),
    vagueRefusal,
    ofStranger(strangerToken),
    ofBefore(successes),
    ...[...fields.values()].slice(0, MAX_FIELDS).map(({ path, having }) => fieldRemoved(path, having)),
  ]
}

/** What a mutant does, whatever field it is about. */
export const kindOf = ({ name }: Mutant): string => (name.startsWith('without ') ? 'field removed' : name)
