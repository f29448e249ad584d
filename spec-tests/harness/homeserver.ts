import { createHmac, randomBytes } from 'node:crypto'
import { call, register, session, v3, type User } from './client.js'
import { startNode, type NodeOptions } from './node.js'

/** A homeserver under test: one of ours that was started for it, or any other, given by its URL. */
export interface Homeserver {
  readonly url: string
  readonly serverName: string
  /** The URL that it knows itself by. */
  readonly publicUrl: string
  /** Whether it is a node of ours that was started for these tests, with the configuration that the section asked for. */
  readonly own: boolean
  /** Whether accounts of administrators can be had. */
  readonly hasAdministrators: boolean
  /** A new account with a session. */
  user(name?: string): Promise<User>
  /** A new account of an administrator. Throws where the registration secret is not known. */
  administrator(): Promise<User>
  /** The same server under another URL, as through a proxy. */
  at(url: string): Homeserver
  dispose(): Promise<void>
}

/** What a node of ours is started with; or what starts the others that it works with, and then says that. */
export type WantedNode = NodeOptions | (() => Promise<NodeOptions & { dispose(): Promise<void> }>)

const SECRET = 'the secret of the tests'
let counter = 0

/**
 * Registers through Synapse's shared-secret registration, which the specification does not have and most servers do.
 * @see https://element-hq.github.io/synapse/latest/admin_api/register_api.html
 */
async function registerWithSecret(base: string, secret: string, name: string, admin: boolean): Promise<User> {
  const path = '/_synapse/admin/v1/register'
  const { nonce } = (await call(base, 'GET', path)).body as { nonce: string }
  const username = `${name}-${Date.now().toString(36)}-${randomBytes(2).toString('hex')}${counter++}`
  const password = 'a good password'
  const mac = createHmac('sha1', secret)
    .update([nonce, username, password, admin ? 'admin' : 'notadmin'].join('\0'))
    .digest('hex')
  const answer = await call(base, 'POST', path, { body: { nonce, username, password, admin, mac } })
  if (answer.status !== 200)
    throw new Error(`registration by secret: ${answer.status} ${JSON.stringify(answer.body)}`)
  return session(base, password, answer)
}

async function serverNameOf(user: User): Promise<string> {
  const { user_id: userId } = await user.ok('GET', v3('/account/whoami'))
  return (userId as string).slice((userId as string).indexOf(':') + 1)
}

async function given(url: string, secret: string | undefined): Promise<Homeserver> {
  const make = (name: string): Promise<User> =>
    secret === undefined ? register(url, name) : registerWithSecret(url, secret, name, false)
  const serverName = process.env['SPEC_TESTS_SERVER_NAME'] ?? (await serverNameOf(await make('first')))
  return described(url, serverName, secret, false, () => Promise.resolve())
}

function described(
  url: string,
  serverName: string,
  secret: string | undefined,
  own: boolean,
  dispose: () => Promise<void>,
  publicUrl = url,
): Homeserver {
  return {
    url,
    serverName,
    publicUrl,
    own,
    hasAdministrators: secret !== undefined,
    user: (name = 'user') =>
      own || secret === undefined ? register(url, name) : registerWithSecret(url, secret, name, false),
    administrator() {
      if (secret === undefined) throw new Error('administrators need --registration-secret')
      return registerWithSecret(url, secret, 'admin', true)
    },
    at: (other) => described(other, serverName, secret, own, () => Promise.resolve(), publicUrl),
    dispose,
  }
}

/**
 * The homeserver that SPEC_TESTS_HOMESERVER and SPEC_TESTS_REGISTRATION_SECRET name, or a node of ours.
 * @param wanted for a node of ours only
 */
export async function homeserver(wanted: WantedNode = {}): Promise<Homeserver> {
  const url = process.env['SPEC_TESTS_HOMESERVER']
  if (url !== undefined) return given(url, process.env['SPEC_TESTS_REGISTRATION_SECRET'])
  const prepared = typeof wanted === 'function' ? await wanted() : undefined
  const options: NodeOptions = prepared ?? (wanted as NodeOptions)
  const node = await startNode({
    ...options,
    config: {
      ...options.config,
      registration: { shared_secret: SECRET, ...(options.config?.['registration'] as object | undefined) },
    },
  })
  return described(node.url, node.serverName, SECRET, true, async () => {
    await node.dispose()
    await prepared?.dispose()
  })
}
