import { createHash } from 'node:crypto'
import { MatrixError } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { Logger } from '../../platform/logger.js'
import { FederationError } from '../federation/federation-error.js'
import type { OutboundHttp } from '../federation/outbound-http.js'

/** An address of somebody, in canonical form. */
export interface Address {
  readonly medium: 'email' | 'msisdn'
  readonly address: string
}

/** The identity server that a client works with, and its user's token there. */
export interface IdentityAccess {
  readonly idServer: string
  readonly accessToken: string
}

/** What an identity server gives for an invite that it keeps until the address is somebody's. */
export interface StoredInvite {
  readonly token: string
  readonly displayName: string
  readonly publicKeys: readonly { readonly public_key: string; readonly key_validity_url: string }[]
}

/**
 * The identity servers that this server trusts, as their client: they know which user has an address.
 * Every method throws M_SERVER_NOT_TRUSTED for a server that the operator has not named, before anything is sent to it;
 * M_UNKNOWN (502) when it gives no usable answer; and M_FORBIDDEN, M_TERMS_NOT_SIGNED, M_LIMIT_EXCEEDED as it says.
 * SPEC: https://spec.matrix.org/v1.19/identity-service-api/
 */
export interface IdentityServers {
  /** Throws M_SERVER_NOT_TRUSTED. */
  checkTrusted(idServer: string): void
  /** The user who has bound the address there. The address itself is not sent, only its salted hash. */
  lookup(access: IdentityAccess, address: Address): Promise<string | undefined>
  /** Has the server keep an invite and tell the address of it; or gives the user who has bound the address meanwhile. */
  storeInvite(
    access: IdentityAccess,
    address: Address,
    invite: JsonObject,
  ): Promise<StoredInvite | { readonly boundTo: string }>
  /** Publishes there that the user has the address, which was proved there in the session `sid`. */
  bind(
    access: IdentityAccess,
    session: { readonly sid: string; readonly clientSecret: string },
    userId: string,
  ): Promise<Address>
  /** Withdraws that; in the name of this server, not of the user. False: the server does not do that. */
  unbind(idServer: string, userId: string, address: Address): Promise<boolean>
}

const LIMITS = { timeoutMs: 10_000, maxBytes: 64 * 1024 }
const ROOT = '/_matrix/identity/v2'
const MAX_TEXT = 512
const MAX_URL = 2_048
const MAX_KEYS = 4
const TOKEN_GRAMMAR = /^[0-9a-zA-Z.=_-]{1,255}$/
/** What the identity server says that is the user's business; a refused token of it must not look like one of ours. */
const PASSED_ON = new Set(['M_TERMS_NOT_SIGNED', 'M_LIMIT_EXCEEDED', 'M_FORBIDDEN'])

interface Answer {
  readonly status: number
  readonly body: JsonObject
}

export function createIdentityServers(deps: {
  readonly http: Pick<OutboundHttp, 'request'>
  readonly logger: Logger
  /** The `Authorization` of this server's request; undefined when its body cannot be signed. */
  signRequest(destination: string, path: string, body: JsonObject): string | undefined
  /** Host names, with ports where they are not 443. None: no identity server is worked with. */
  readonly trusted: readonly string[]
}): IdentityServers {
  const trusted = new Set(deps.trusted.map((name) => name.toLowerCase()))

  function checkTrusted(idServer: string): void {
    if (trusted.has(idServer.toLowerCase())) return
    throw new MatrixError(
      'M_SERVER_NOT_TRUSTED',
      trusted.size === 0
        ? 'This server works with no identity server'
        : 'This server does not trust that identity server; ask its administrator which one to use',
      {},
      403,
    )
  }

  const unusable = (cause: string): MatrixError =>
    new MatrixError('M_UNKNOWN', `The identity server gives no usable answer: ${cause}`, {}, 502)

  async function call(
    idServer: string,
    method: 'GET' | 'POST',
    path: string,
    authorization: string | undefined,
    body?: JsonObject,
  ): Promise<Answer> {
    checkTrusted(idServer)
    try {
      const answer = await deps.http.request({
        url: `https://${idServer.toLowerCase()}${ROOT}${path}`,
        method,
        headers: {
          ...(authorization === undefined ? {} : { authorization }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...LIMITS,
      })
      const parsed = parseJson(answer.body)
      return { status: answer.status, body: parsed.ok && isObject(parsed.value) ? parsed.value : {} }
    } catch (error) {
      if (!(error instanceof FederationError)) throw error
      deps.logger.info({ err: error, idServer }, 'an identity server gave no answer')
      throw unusable('it cannot be reached')
    }
  }

  function checked({ status, body }: Answer): JsonObject {
    if (status >= 200 && status < 300) return body
    const errcode = ownValue(body, 'errcode')
    if (typeof errcode === 'string' && PASSED_ON.has(errcode)) {
      const wait = ownValue(body, 'retry_after_ms')
      throw new MatrixError(
        errcode,
        `The identity server refuses: ${shortText(ownValue(body, 'error'), MAX_TEXT) ?? errcode}`,
        typeof wait === 'number' && errcode === 'M_LIMIT_EXCEEDED' ? { retry_after_ms: wait } : {},
        errcode === 'M_TERMS_NOT_SIGNED' ? 403 : undefined,
      )
    }
    if (status === 401)
      throw new MatrixError('M_FORBIDDEN', 'The identity server does not know the id_access_token')
    throw unusable(`it says ${status}`)
  }

  const ask = async (
    { idServer, accessToken }: IdentityAccess,
    method: 'GET' | 'POST',
    path: string,
    body?: JsonObject,
  ): Promise<Answer> => call(idServer, method, path, bearer(accessToken), body)

  return {
    checkTrusted,

    async lookup(access, { medium, address }) {
      const details = checked(await ask(access, 'GET', '/hash_details'))
      const pepper = ownValue(details, 'lookup_pepper')
      const algorithms = ownValue(details, 'algorithms')
      if (typeof pepper !== 'string' || !Array.isArray(algorithms) || !algorithms.includes('sha256'))
        throw unusable('it hashes addresses in no way that is known')
      const hash = createHash('sha256').update(`${address} ${medium} ${pepper}`).digest('base64url')
      const body = { addresses: [hash], algorithm: 'sha256', pepper }
      const mappings = ownValue(checked(await ask(access, 'POST', '/lookup', body)), 'mappings')
      if (!isObject(mappings)) throw unusable('it looks nothing up')
      const userId = ownValue(mappings, hash)
      return typeof userId === 'string' && parseUserId(userId) !== undefined ? userId : undefined
    },

    async storeInvite(access, { medium, address }, invite) {
      const answer = await ask(access, 'POST', '/store-invite', { ...invite, medium, address })
      const errcode = ownValue(answer.body, 'errcode')
      if (errcode === 'M_UNRECOGNIZED')
        throw new MatrixError(
          'M_THREEPID_MEDIUM_NOT_SUPPORTED',
          'The identity server keeps no invites for such addresses',
        )
      const boundTo = ownValue(answer.body, 'mxid')
      if (
        errcode === 'M_THREEPID_IN_USE' &&
        typeof boundTo === 'string' &&
        parseUserId(boundTo) !== undefined
      )
        return { boundTo }
      const stored = storedInvite(checked(answer))
      if (stored === undefined) throw unusable('it has kept no invite')
      return stored
    },

    async bind(access, { sid, clientSecret }, userId) {
      const body = { sid, client_secret: clientSecret, mxid: userId }
      const answer = await ask(access, 'POST', '/3pid/bind', body)
      if (answer.status === 400 || answer.status === 404)
        throw new MatrixError('M_THREEPID_AUTH_FAILED', 'The address is not proved at the identity server')
      const bound = checked(answer)
      const [medium, address] = [ownValue(bound, 'medium'), shortText(ownValue(bound, 'address'), MAX_TEXT)]
      if ((medium !== 'email' && medium !== 'msisdn') || address === undefined)
        throw unusable('it does not say what it has bound')
      return { medium, address }
    },

    async unbind(idServer, userId, { medium, address }) {
      checkTrusted(idServer)
      const body = { mxid: userId, threepid: { medium, address } }
      const authorization = deps.signRequest(idServer, `${ROOT}/3pid/unbind`, body)
      const answer = await call(idServer, 'POST', '/3pid/unbind', authorization, body)
      // Some have never offered it; and what is not there needs no withdrawal.
      if ([400, 404, 405, 501].includes(answer.status)) return false
      checked(answer)
      return true
    },
  }
}

/** A header holds no line breaks: a token that is none is sent as an empty one. */
const bearer = (token: string): string => `Bearer ${/^[\x21-\x7e]*$/.test(token) ? token : ''}`

const shortText = (value: Json | undefined, max: number): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= max ? value : undefined

/** What an answer to `store-invite` says; undefined where it is none. */
export function storedInvite(body: JsonObject): StoredInvite | undefined {
  const token = ownValue(body, 'token')
  const displayName = shortText(ownValue(body, 'display_name'), MAX_TEXT)
  const list = ownValue(body, 'public_keys')
  if (typeof token !== 'string' || !TOKEN_GRAMMAR.test(token) || displayName === undefined) return undefined
  const publicKeys = (Array.isArray(list) ? list : []).slice(0, MAX_KEYS).flatMap((key) => {
    const publicKey = isObject(key) ? shortText(ownValue(key, 'public_key'), MAX_TEXT) : undefined
    const url = isObject(key) ? shortText(ownValue(key, 'key_validity_url'), MAX_URL) : undefined
    return publicKey === undefined || url === undefined
      ? []
      : [{ public_key: publicKey, key_validity_url: url }]
  })
  return publicKeys.length === 0 ? undefined : { token, displayName, publicKeys }
}
