import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Route } from '../../src/http/route.js'
import { authorizationHeader } from '../../src/services/federation/x-matrix.js'
import { encryptFile } from '../../src/services/scanning/testing.js'
import { call, createRoom, register, sendText, session, v3, type User } from '../harness/client.js'
import { startForeignServer, type ForeignServer } from '../harness/foreign-server.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { BODIES } from './bodies.js'
import { raw, sample, shapeOf, takesJson, target, type RawAnswer } from './routes.js'

const SECRET = 'a secret of many characters'
/** An application service that is told nothing. */
const APPSERVICE = {
  id: 'bridge',
  url: null,
  as_token: 'the-token-of-the-bridge',
  hs_token: 'hs',
  sender_localpart: 'bridgebot',
  namespaces: {},
}
/** Those that take what a message says of an encrypted file. */
const ENCRYPTED = new Set(['scanEncryptedMedia', 'downloadEncryptedMedia'])
const BACKUP = 'm.megolm_backup.v1.curve25519-aes-sha2'

export interface Sent {
  readonly path?: string
  /** In place of what the route takes; a string is sent as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** What a signature is over, where it is not over the request itself. */
export interface Signed {
  readonly destination?: string
  readonly key?: Pick<ForeignServer['signer'], 'keyId' | 'sign'>
}

/** A node, and everybody who calls it: users, an administrator, another server. */
export interface World {
  readonly node: Node
  readonly peer: ForeignServer
  readonly user: User
  readonly other: User
  /** A path of a route (by default its first) with the user's own room, event, device and so on; `more` replaces some. */
  target(route: Route, path?: string, more?: Readonly<Record<string, string>>): string
  /** The header by which the other server signs a request. */
  sign(route: Route, uri: string, content: object | undefined, more?: Signed): string
  /** What whoever may call the route sends with it. */
  credentials(route: Route, uri: string, content: unknown): Record<string, string>
  /** A body that the route takes, as far as types go. */
  bodyFor(route: Route): Record<string, unknown>
  /** Calls a route as whoever may, with a body that it takes, unless told otherwise. */
  send(route: Route, sent?: Sent): Promise<RawAnswer>
  /** Lines of the log that tell of a fault of the node's own. */
  failures(): Promise<string[]>
  close(): Promise<void>
}

const dehydratedDevice = (userId: string): Record<string, unknown> => ({
  device_id: 'DEHYDRATED',
  device_data: { algorithm: 'x' },
  device_keys: { user_id: userId, device_id: 'DEHYDRATED', algorithms: [], keys: {}, signatures: {} },
})

async function administrator(url: string): Promise<User> {
  const path = '/_synapse/admin/v1/register'
  const { nonce } = (await call(url, 'GET', path)).body as { nonce: string }
  const mac = createHmac('sha1', SECRET).update([nonce, 'root', 'pw', 'admin'].join('\0')).digest('hex')
  const body = { nonce, username: 'root', password: 'pw', admin: true, mac }
  return session(url, 'pw', await call(url, 'POST', path, { body }))
}

export async function startWorld(): Promise<World> {
  const authority = testAuthority()
  const node = await startNode({
    authority,
    config: {
      registration: { shared_secret: SECRET },
      content_scanner: { engine: 'command', command: { program: '/bin/true' } },
    },
    appservices: [APPSERVICE],
  })
  const peer = await startForeignServer(authority)
  const user = await register(node.url)
  const other = await register(node.url)
  const admin = await administrator(node.url)
  // Whatever an administrator does to somebody is done to this one.
  const subject = await register(node.url)
  const backup = await user.ok('POST', v3('/room_keys/version'), { algorithm: BACKUP, auth_data: {} })
  // A media id that waits for its upload.
  const announced = await user.ok('POST', '/_matrix/media/v1/create')
  const roomId = await createRoom(user)
  const eventId = await sendText(user, roomId, 'x')
  const values: Readonly<Record<string, string>> = {
    roomId,
    roomIdOrAlias: roomId,
    eventId,
    userId: user.userId,
    deviceId: user.deviceId,
    eventType: 'm.room.message',
    relType: 'm.thread',
    type: 'm.some.type',
    txnId: 'txn',
    stateKey: '',
    roomAlias: `#nothing:${node.serverName}`,
    receiptType: 'm.read',
    serverName: node.serverName,
    mediaId: 'abcdef',
    caseId: '1',
    filterId: '1',
    keyName: 'displayname',
    sessionId: 'session',
    version: backup.version,
    tag: 'u.tag',
    kind: 'override',
    ruleId: 'own',
    appserviceId: APPSERVICE.id,
  }
  const OF_SUBJECT: Readonly<Record<string, string>> = {
    userId: subject.userId,
    deviceId: subject.deviceId,
    roomId: await createRoom(subject),
  }
  const valueFor = (route: Route, name: string): string | undefined =>
    OF_ROUTES[route.id]?.[name] ??
    (route.paths[0]!.startsWith('/_synapse/admin/') ? OF_SUBJECT[name] : undefined) ??
    values[name]
  const OF_ROUTES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    uploadContentToMXC: { mediaId: announced.content_uri.split('/').at(-1) },
  }

  const world: World = {
    node,
    peer,
    user,
    other,
    target: (route, path = route.paths[0]!, more = {}) =>
      target(route, path, (name) => more[name] ?? valueFor(route, name) ?? 'x'),
    sign: (route, uri, content, more = {}) =>
      authorizationHeader(
        {
          method: route.method,
          uri,
          origin: peer.name,
          destination: more.destination ?? node.serverName,
          content: content as never,
        },
        more.key ?? peer.signer,
      )!,
    credentials(route, uri, content) {
      if (route.auth === 'server')
        return { authorization: world.sign(route, uri, content as object | undefined) }
      if (route.auth === 'appservice') return { authorization: `Bearer ${APPSERVICE.as_token}` }
      return { authorization: `Bearer ${(route.auth === 'admin' ? admin : user).token}` }
    },
    bodyFor: (route) => ({
      ...(route.id === 'setReadMarker' ? { 'm.read': eventId } : {}),
      ...(route.id === 'putDehydratedDevice' ? dehydratedDevice(user.userId) : {}),
      ...(typeof route.body === 'object' ? (sample(shapeOf(route.body)) as object) : {}),
      ...(ENCRYPTED.has(route.id) ? { file: encryptFile('x').file(`mxc://${node.serverName}/none`) } : {}),
      ...BODIES[route.id],
    }),
    send(route, { path, body, headers } = {}) {
      const uri = path ?? world.target(route)
      const content = body ?? (takesJson(route) ? world.bodyFor(route) : undefined)
      return raw(node.url, route.method, uri, {
        headers: headers ?? world.credentials(route, uri, typeof content === 'string' ? {} : content),
        body: content === undefined || typeof content === 'string' ? content : JSON.stringify(content),
      })
    },
    async failures() {
      const log = await readFile(join(node.folder, 'log.txt'), 'utf8')
      if (!log.includes('"msg":"request"')) throw new Error('the log tells of no requests at all')
      return log.split('\n').filter((line) => line.includes('request failed'))
    },
    async close() {
      await node.dispose()
      await peer.close()
    },
  }
  return world
}

/** Tries every route and gives a line for each answer that is another than wanted; at most eight requests at a time. */
export async function faults(
  routes: readonly Route[],
  attempt: (route: Route) => Promise<readonly (readonly [string, RawAnswer, boolean])[]>,
): Promise<string[]> {
  const found: string[] = []
  const rest = [...routes]
  const worker = async (): Promise<void> => {
    for (let route = rest.shift(); route !== undefined; route = rest.shift()) {
      for (const [what, { status, text }, good] of await attempt(route))
        if (!good) found.push(`${route.id} ${what}: ${status} ${text.slice(0, 150)}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return found.toSorted()
}

/** Whether an answer has the status and one of the errcodes. */
export const is = (answer: RawAnswer, status: number, ...errcodes: readonly string[]): boolean =>
  answer.status === status && errcodes.includes(answer.errcode ?? '')
