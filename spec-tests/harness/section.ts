import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { segmentsOf } from '../contract/definitions.js'
import {
  call,
  createRoom,
  sendText,
  v3,
  watchCalls,
  type Answer,
  type CallOptions,
  type Exchange,
  type User,
} from './client.js'
import { homeserver, type Homeserver } from './homeserver.js'
import type { NodeOptions } from './node.js'

/**
 * The tests of the specification's operations, as data: a section of the specification has operations, an operation has cases.
 * Jest runs them one after the other; the mutation run takes them one by one.
 */
export type Kind = 'success' | 'error' | 'authorisation' | 'not offered'

export interface Case {
  readonly kind: Kind
  /** What the server does, as a sentence without its subject. */
  readonly name: string
  readonly needsAdministrator: boolean
  /** A server may be without it: a node of ours is configured for it. */
  readonly ownOnly: boolean
  /** Throws where the server does something else, or where the case never came to its operation. */
  run(server: Homeserver): Promise<void>
}

export interface OperationTests {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly cases: readonly Case[]
}

export interface Section {
  readonly title: string
  /** In the specification, after `https://spec.matrix.org/v1.19/`. */
  readonly link: string
  readonly node: NodeOptions
  readonly operations: readonly OperationTests[]
}

/** The server has no such operation. */
export class LacksError extends Error {
  override readonly name = 'LacksError'
}

type Run = (server: Homeserver) => Promise<void>
export interface CaseOptions {
  readonly needsAdministrator?: boolean
  readonly ownOnly?: boolean
}
type Declare = (name: string, run: Run, options?: CaseOptions) => void
export interface Cases {
  /** The operation does what it is for: some answer of it is a success. */
  readonly success: Declare
  /** It refuses what is wrong: some answer of it is an error. */
  readonly error: Declare
  /** It refuses those who may not. */
  readonly authorisation: Declare
  /** The server gives the refusal that the specification has for those that do not offer it. */
  readonly notOffered: Declare
}
export interface OperationOptions {
  /** `none`: it is for everybody, so no token is asked for. */
  readonly auth?: 'token' | 'none'
}
/** `route` is the method and the path, such as `GET /_matrix/client/v3/account/whoami`. */
type DeclareOperation = (
  id: string,
  route: string,
  cases: (kinds: Cases) => void,
  options?: OperationOptions,
) => void

const EXAMPLES: Readonly<Record<string, string>> = {
  roomId: '!room:example.org',
  roomIdOrAlias: '!room:example.org',
  userId: '@user:example.org',
  roomAlias: '#alias:example.org',
  eventId: '$event',
  kind: 'override',
  receiptType: 'm.read',
}
const filled = (path: string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(EXAMPLES[name] ?? 'example'))

function isOf(method: string, path: string): (exchange: Exchange) => boolean {
  const template = segmentsOf(path)
  return (exchange) => {
    const segments = segmentsOf(exchange.path)
    // An empty state key is no segment.
    const lengths = path.endsWith('{stateKey}') ? [template.length, template.length - 1] : [template.length]
    return (
      exchange.method === method &&
      lengths.includes(segments.length) &&
      segments.every((segment, i) => template[i]!.startsWith('{') || template[i] === segment)
    )
  }
}

const isMissing = ({ status, body }: Exchange): boolean =>
  (status === 404 || status === 405) && (body as { errcode?: unknown } | null)?.errcode === 'M_UNRECOGNIZED'

const REACHED: Readonly<Record<Kind, (status: number) => boolean>> = {
  success: (status) => status >= 200 && status < 400,
  error: (status) => status >= 400 && status < 500,
  authorisation: (status) => status >= 400 && status < 500,
  'not offered': (status) => status >= 400,
}

/** Runs a case and sees to it that it was about its operation. */
function guarded(kind: Kind, id: string, method: string, path: string, run: Run): Run {
  const isMeant = isOf(method, path)
  return async (server) => {
    const seen: Exchange[] = []
    const end = watchCalls((exchange) => {
      if (isMeant(exchange)) seen.push(exchange)
    })
    try {
      await run(server)
    } catch (error) {
      if (kind !== 'not offered' && seen.length > 0 && seen.every(isMissing))
        throw new LacksError(`the server has no ${id}: ${method} ${path}`)
      throw error
    } finally {
      end()
    }
    const reached = seen.some(({ status }) => REACHED[kind](status))
    if (!reached) throw new Error(`this test of ${id} saw no ${kind} of ${method} ${path}`)
  }
}

async function refusesStrangers(server: Homeserver, method: string, path: string): Promise<void> {
  const body = method === 'GET' ? {} : { body: {} }
  const without = await call(server.url, method, filled(path), body)
  expect([without.status, without.body.errcode]).toEqual([401, 'M_MISSING_TOKEN'])
  const unknown = await call(server.url, method, filled(path), { ...body, token: 'nobody-has-this-token' })
  expect([unknown.status, unknown.body.errcode]).toEqual([401, 'M_UNKNOWN_TOKEN'])
}

/** Where the sections go instead of to jest, if somebody collects them. */
let collected: Section[] | undefined

/** From now on sections are kept for the caller, and no test of jest is made of them. */
export function collectSections(): readonly Section[] {
  collected = []
  return collected
}

/**
 * Declares the tests of one section of the specification.
 * @param link where it stands, after `https://spec.matrix.org/v1.19/`
 * @param node the configuration of our own node, where it needs one
 */
export function section(
  title: string,
  link: string,
  declare: (operation: DeclareOperation) => void,
  node: NodeOptions = {},
): void {
  const operations: OperationTests[] = []
  declare((id, route, cases, { auth = 'token' } = {}) => {
    const [method = '', path = ''] = route.split(' ')
    const list: Case[] = []
    const add =
      (kind: Kind): Declare =>
      (name, run, { needsAdministrator = false, ownOnly = false } = {}) => {
        list.push({ kind, name, needsAdministrator, ownOnly, run: guarded(kind, id, method, path, run) })
      }
    cases({
      success: add('success'),
      error: add('error'),
      authorisation: add('authorisation'),
      notOffered: add('not offered'),
    })
    if (auth === 'token')
      add('authorisation')('refuses who has no token, and who has an unknown one', (server) =>
        refusesStrangers(server, method, path),
      )
    operations.push({ id, method, path, cases: list })
  })
  const made: Section = { title, link, node, operations }
  if (collected === undefined) toJest(made)
  else collected.push(made)
}

function toJest({ title, node, operations }: Section): void {
  describe(title, () => {
    let server: Homeserver | undefined
    beforeAll(async () => {
      server = await homeserver(node)
    }, 60_000)
    afterAll(() => server?.dispose())
    const given = process.env['SPEC_TESTS_HOMESERVER'] !== undefined
    const noAdministrators = given && process.env['SPEC_TESTS_REGISTRATION_SECRET'] === undefined
    for (const { id, method, path, cases } of operations) {
      describe(`${id} ${method} ${path}`, () => {
        for (const { kind, name, needsAdministrator, ownOnly, run } of cases) {
          const skip = (needsAdministrator && noAdministrators) || (ownOnly && given)
          ;(skip ? it.skip : it)(`${kind}: ${name}`, () => run(server!))
        }
      })
    }
  })
}

/** Awaits an answer and holds it to a status and one of the errcodes. */
export async function refusal(
  answer: Promise<Answer>,
  status: number,
  ...errcodes: string[]
): Promise<Answer> {
  const given = await answer
  expect([given.status, given.body?.errcode]).toEqual([
    status,
    errcodes.length === 1 ? errcodes[0] : expect.stringMatching(new RegExp(`^(${errcodes.join('|')})$`)),
  ])
  return given
}

export const enc = encodeURIComponent
export type { CallOptions }

/** The path of something in a room. */
export const inRoom = (roomId: string, rest: string): string => v3(`/rooms/${enc(roomId)}/${rest}`)

/** A public room that the others have joined. */
export async function sharedRoom(
  owner: User,
  others: readonly User[] = [],
  body: object = {},
): Promise<string> {
  const roomId = await createRoom(owner, { preset: 'public_chat', ...body })
  for (const other of others) await other.ok('POST', inRoom(roomId, 'join'))
  return roomId
}

export { createRoom, sendText, v3 }
