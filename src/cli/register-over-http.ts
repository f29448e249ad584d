import { createHmac } from 'node:crypto'
import type { Config } from '../config/schema.js'
import { CliError } from './command.js'
import type { NewAccount } from './new-account.js'

const TIMEOUT_MS = 30_000
const PATH = '/_synapse/admin/v1/register'

/** The first listener for clients, as this machine reaches it. */
function localUrl(config: Config): string {
  const listener = config.listeners.find((candidate) => candidate.resources.includes('client'))
  if (listener === undefined) throw new CliError('no listener serves clients; name the node with `--url URL`')
  const any = listener.address === '0.0.0.0' || listener.address === '::'
  const host = any ? '127.0.0.1' : listener.address.includes(':') ? `[${listener.address}]` : listener.address
  return `${listener.tls === undefined ? 'http' : 'https'}://${host}:${listener.port}`
}

async function call(url: string, body?: object): Promise<Record<string, unknown>> {
  let answer: Response
  try {
    answer = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    })
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error }
    throw new CliError(`the database is in use, but no node answers at ${url}: ${cause?.message ?? message}`)
  }
  const json = (await answer.json().catch(() => ({}))) as Record<string, unknown>
  if (answer.ok) return json
  const { error } = json
  throw new CliError(
    `the node refused: ${typeof error === 'string' ? error : `HTTP status ${answer.status}`}`,
  )
}

/**
 * Makes an account through a running node, by the secret that it shares with its configuration; gives the user id.
 * The proof is HMAC-SHA1 over nonce, name, password and role, separated by NUL, as Synapse's tools make it.
 */
export async function registerOverHttp(
  config: Config,
  account: NewAccount,
  url: string = localUrl(config),
): Promise<string> {
  const secret = config.registration.shared_secret
  if (secret === undefined) {
    throw new CliError(
      '`--url` needs the secret that the node has: set `registration.shared_secret` here as there',
    )
  }
  const endpoint = url.replace(/\/$/, '') + PATH
  const nonce = String((await call(endpoint))['nonce'])
  const parts = [nonce, account.localpart, account.password, account.admin ? 'admin' : 'notadmin']
  const answer = await call(endpoint, {
    nonce,
    username: account.localpart,
    password: account.password,
    admin: account.admin,
    ...(account.displayName === undefined ? {} : { displayname: account.displayName }),
    mac: createHmac('sha1', secret).update(parts.join('\0')).digest('hex'),
  })
  return String(answer['user_id'])
}
