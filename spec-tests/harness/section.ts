import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { segmentsOf } from '../contract/definitions.js'
import {
  call,
  createRoom,
  enc,
  inRoom,
  keepContractFaults,
  sendText,
  v3,
  watchCalls,
  type Answer,
  type CallOptions,
  type Exchange,
  type User,
} from './client.js'
import { homeserver, type Homeserver, type WantedNode } from './homeserver.js'
import { PATIENCE_MS } from './patience.js'

/**
 * The tests of the specification's operations, as data: a section of the specification has operations, an operation has cases.
 * Jest runs them one after the other; the mutation run takes them one by one.
 */
export type Kind = 'success' | 'error' | 'authorisation' | 'not offered' | 'contract'

/** `registration`: people may make accounts themselves, with a token or without. */
export type Feature = 'registration' | 'presence'

export interface Case {
  readonly kind: Kind
  /** What the server does, as a sentence without its subject. */
  readonly name: string
  readonly needsAdministrator: boolean
  /** A server may be without it: a node of ours is configured for it. */
  readonly ownOnly: boolean
  /** What a server of somebody else may be configured without, as `--without` says. */
  readonly needs: Feature | undefined
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
  readonly node: WantedNode
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
  readonly needs?: Feature
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
  /** `signature`: it is for servers, which sign their requests; `none`: it is for everybody. */
  readonly auth?: 'token' | 'signature' | 'none'
  /** What a request cannot be without: which fault a server names that sees a malformed one without a token is its choice. */
  readonly sample?: Pick<CallOptions, 'body' | 'query'>
  /** No specification has it: servers other than ours are not asked for it. */
  readonly ours?: boolean
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
const filled = (path: string, serverName: string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent((EXAMPLES[name] ?? 'example').replace('example.org', serverName)),
  )

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
  contract: () => true,
}

/** A server that somebody named, which may be any. */
const GIVEN = process.env['SPEC_TESTS_HOMESERVER'] !== undefined
const WITHOUT: ReadonlySet<string> = new Set((process.env['SPEC_TESTS_WITHOUT'] ?? '').split(','))

const withoutIndices = (fault: string): string => fault.replaceAll(/\/\d+(?=\/|:)/g, '/[]')

/**
 * Runs a case and sees to it that it was about its operation.
 *
 * On a server of somebody else's, answers that the definitions do not allow are kept in `faults` for a case of their own, and only those of
 * the operation: what a server forgets in `/sync` says nothing of the operations that are looked at through it. A node of ours fails at once.
 */
function guarded(kind: Kind, id: string, method: string, path: string, run: Run, faults: Set<string>): Run {
  const isMeant = isOf(method, path)
  return async (server) => {
    const seen: Exchange[] = []
    const endWatch = watchCalls((exchange) => {
      if (isMeant(exchange)) seen.push(exchange)
    })
    const endKeep = GIVEN
      ? keepContractFaults((exchange, found) => {
          if (isMeant(exchange)) for (const fault of found.faults) faults.add(withoutIndices(fault))
        })
      : undefined
    const end = (): void => {
      endWatch()
      endKeep?.()
    }
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

async function refusesStrangers(
  server: Homeserver,
  method: string,
  path: string,
  sample: CallOptions = method === 'GET' ? {} : { body: {} },
): Promise<void> {
  const without = await call(server.url, method, filled(path, server.serverName), sample)
  expect([without.status, without.body.errcode]).toEqual([401, 'M_MISSING_TOKEN'])
  const unknown = await call(server.url, method, filled(path, server.serverName), {
    ...sample,
    token: 'nobody-has-this-token',
  })
  expect([unknown.status, unknown.body.errcode]).toEqual([401, 'M_UNKNOWN_TOKEN'])
}

const CONTRACT_CASE = {
  kind: 'contract',
  name: 'answers as the definitions say',
  needsAdministrator: false,
  ownOnly: false,
  needs: undefined,
} as const

/** Fails with what the cases of an operation have kept, once. */
function tellFaults(faults: Set<string>): Promise<void> {
  const all = [...faults]
  faults.clear()
  return all.length === 0 ? Promise.resolve() : Promise.reject(new Error(all.join('\n')))
}

async function refusesUnsigned(server: Homeserver, method: string, path: string): Promise<void> {
  const sent = method === 'GET' ? {} : { body: {} }
  await refusal(
    call(server.url, method, filled(path, server.serverName), sent),
    401,
    'M_UNAUTHORIZED',
    'M_FORBIDDEN',
  )
  const authorization = 'X-Matrix origin="localhost:1",destination="localhost",key="ed25519:1",sig="AAAA"'
  const headers = { authorization }
  await refusal(
    call(server.url, method, filled(path, server.serverName), { ...sent, headers }),
    401,
    'M_UNAUTHORIZED',
    'M_FORBIDDEN',
  )
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
  node: WantedNode = {},
): void {
  const operations: OperationTests[] = []
  declare((id, route, cases, { auth = 'token', sample, ours = false } = {}) => {
    const [method = '', path = ''] = route.split(' ')
    const list: Case[] = []
    const faults = new Set<string>()
    const add =
      (kind: Kind): Declare =>
      (name, run, { needsAdministrator = false, ownOnly = false, needs } = {}) => {
        list.push({
          kind,
          name,
          needsAdministrator,
          ownOnly: ownOnly || ours,
          needs,
          run: guarded(kind, id, method, path, run, faults),
        })
      }
    cases({
      success: add('success'),
      error: add('error'),
      authorisation: add('authorisation'),
      notOffered: add('not offered'),
    })
    if (auth === 'token')
      add('authorisation')('refuses who has no token, and who has an unknown one', (server) =>
        refusesStrangers(server, method, path, sample),
      )
    if (auth === 'signature')
      add('authorisation')('refuses requests that are not signed, or by nobody who is known', (server) =>
        refusesUnsigned(server, method, path),
      )
    if (GIVEN && !ours) list.push({ ...CONTRACT_CASE, run: () => tellFaults(faults) })
    operations.push({ id, method, path, cases: list })
  })
  const made: Section = { title, link, node, operations }
  if (collected === undefined) toJest(made)
  else collected.push(made)
}

/** For one test, beside what it waits for the limits of the server. */
const TEST_MS = 120_000

function toJest({ title, node, operations }: Section): void {
  if (GIVEN) jest.setTimeout(PATIENCE_MS + TEST_MS)
  describe(title, () => {
    let server: Homeserver | undefined
    beforeAll(async () => {
      server = await homeserver(node)
    })
    afterAll(() => server?.dispose())
    const noAdministrators = GIVEN && process.env['SPEC_TESTS_REGISTRATION_SECRET'] === undefined
    for (const { id, method, path, cases } of operations) {
      describe(`${id} ${method} ${path}`, () => {
        for (const { kind, name, needsAdministrator, ownOnly, needs, run } of cases) {
          // Foreign servers of ours have certificates that only our own nodes can be told to trust.
          const needsTrust = GIVEN && typeof node === 'object' && node.authority !== undefined
          const lacksIt = (needsAdministrator && noAdministrators) || WITHOUT.has(needs ?? '-')
          const skip = needsTrust || lacksIt || (ownOnly && GIVEN)
          ;(skip ? it.skip : it)(`${kind}: ${name}`, () => run(server!))
        }
      })
    }
  })
}

/**
 * The specification says what these mean, but not that no other may be given for a request that is malformed: servers other than ours may
 * say M_UNKNOWN.
 */
const MALFORMED: ReadonlySet<string> = new Set([
  'M_BAD_JSON',
  'M_NOT_JSON',
  'M_MISSING_PARAM',
  'M_INVALID_PARAM',
  'M_UNRECOGNIZED',
])

/** Awaits an answer and holds it to a status and one of the errcodes. */
export async function refusal(
  answer: Promise<Answer>,
  status: number,
  ...errcodes: string[]
): Promise<Answer> {
  const given = await answer
  const allowed =
    GIVEN && status === 400 && errcodes.every((one) => MALFORMED.has(one))
      ? [...errcodes, 'M_UNKNOWN']
      : errcodes
  expect([given.status, given.body?.errcode]).toEqual([
    status,
    allowed.length === 1 ? allowed[0] : expect.stringMatching(new RegExp(`^(${allowed.join('|')})$`)),
  ])
  return given
}

export type { Answer, CallOptions, User }

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

export { createRoom, enc, inRoom, sendText, v3 }
