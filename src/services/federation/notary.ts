import { signJson } from '../../core/event/sign.js'
import { badJson, invalidParam } from '../../core/errors.js'
import { isServerName } from '../../core/ids/server-name.js'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { startDeadline } from '../../platform/deadline.js'
import type { Signer } from '../../platform/ed25519.js'
import type { KeyFetcher } from './key-fetcher.js'
import type { Keys } from './keys.js'
import type { KnownKeys, KnownServer } from './known-keys.js'

export interface NotaryAnswer {
  readonly server_keys: readonly JsonObject[]
}

/** This server vouching for what it saw of other servers' keys. */
export interface NotaryService {
  /** `GET /_matrix/key/v2/query/{serverName}`. `minimumValidUntilTs` defaults to now. Throws M_INVALID_PARAM. */
  queryServer(serverName: string, minimumValidUntilTs?: number): Promise<NotaryAnswer>
  /** `POST /_matrix/key/v2/query`. Throws M_BAD_JSON for a body of another shape, or with more than 100 servers. */
  queryMany(body: JsonObject): Promise<NotaryAnswer>
}

export interface NotaryDeps {
  readonly serverName: string
  readonly signer: Signer
  readonly keys: Pick<Keys, 'ownDocument'>
  readonly known: KnownKeys
  readonly fetcher: KeyFetcher
  readonly clock: Clock
  /** How long an answer may wait for servers that do not answer. */
  readonly timeoutMs?: number
  readonly federates?: (serverName: string) => boolean
}

interface Criteria {
  readonly serverName: string
  readonly keyIds: readonly string[]
  readonly minimum: number
}

const MAX_SERVERS = 100
const MAX_KEY_IDS = 64

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#querying-keys-through-another-server */
export function createNotary(deps: NotaryDeps): NotaryService {
  const {
    serverName: ourName,
    signer,
    keys,
    known,
    fetcher,
    clock,
    timeoutMs = 10_000,
    federates = () => true,
  } = deps

  async function answer(criteria: readonly Criteria[]): Promise<NotaryAnswer> {
    const deadline = startDeadline(timeoutMs)
    const over = new Promise<void>((resolve) =>
      deadline.signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    try {
      const documents = await Promise.all(criteria.map((one) => documentFor(one, over)))
      return { server_keys: documents.filter((document) => document !== undefined) }
    } finally {
      deadline.end()
    }
  }

  async function documentFor(criteria: Criteria, over: Promise<void>): Promise<JsonObject | undefined> {
    if (criteria.serverName === ourName) return keys.ownDocument()
    if (!isServerName(criteria.serverName) || !federates(criteria.serverName)) return undefined
    let seen = await known.of(criteria.serverName)
    if (!satisfies(seen, criteria)) {
      await Promise.race([fetcher.refresh(criteria.serverName), over])
      seen = await known.of(criteria.serverName)
    }
    // What is old is still handed out: the signatures of old events can be checked with it.
    const document = seen.document?.json
    return document === undefined ? undefined : signJson(document, { serverName: ourName, ...signer })
  }

  return {
    async queryServer(serverName, minimum = clock.now()) {
      if (!isServerName(serverName)) throw invalidParam('The server name is none')
      return answer([{ serverName, keyIds: [], minimum }])
    },
    queryMany: async (body) => answer(criteriaOf(body, clock.now())),
  }
}

function satisfies(seen: KnownServer, { keyIds, minimum }: Criteria): boolean {
  return (
    seen.document !== undefined &&
    seen.document.validUntilTs >= minimum &&
    keyIds.every((keyId) => seen.keys.has(keyId))
  )
}

function criteriaOf(body: JsonObject, now: number): Criteria[] {
  const servers = ownValue(body, 'server_keys')
  if (!isObject(servers)) throw badJson('server_keys must be an object')
  const names = Object.keys(servers)
  if (names.length > MAX_SERVERS) throw badJson(`at most ${MAX_SERVERS} servers can be asked for at once`)
  return names.map((serverName) => {
    const wanted = servers[serverName]
    if (!isObject(wanted)) throw badJson('the criteria of a server must be an object')
    const keyIds = Object.keys(wanted)
    if (keyIds.length > MAX_KEY_IDS) throw badJson(`at most ${MAX_KEY_IDS} keys of a server can be asked for`)
    let minimum = keyIds.length === 0 ? now : 0
    for (const keyId of keyIds) {
      const criterion = wanted[keyId]
      if (!isObject(criterion)) throw badJson('the criteria of a key must be an object')
      const ts = ownValue(criterion, 'minimum_valid_until_ts') ?? now
      if (typeof ts !== 'number') throw badJson('minimum_valid_until_ts must be an integer')
      minimum = Math.max(minimum, ts)
    }
    return { serverName, keyIds, minimum }
  })
}
