import { invalidParam, missingParam, type MatrixError } from '../../core/errors.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import { isLegalText } from '../../core/ids/common.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'

/** A pusher as a client wants it. */
export interface PusherRequest {
  readonly kind: 'http' | 'email'
  readonly appId: string
  readonly pushkey: string
  readonly appDisplayName: string
  readonly deviceDisplayName: string
  readonly profileTag: string | undefined
  readonly lang: string
  readonly data: JsonObject
  readonly append: boolean
}

export interface GatewayRules {
  /** Gateways without TLS too. */
  readonly allowHttp: boolean
  /** Whether an address, given as a number, may be connected to. */
  allowsAddress(address: string): boolean
}

const MAX_APP_ID = 64
const MAX_PUSHKEY_BYTES = 512
const MAX_TEXT_BYTES = 1_024
const MAX_DATA_BYTES = 16 * 1_024
const MAX_URL = 2_048
const GATEWAY_PATH = '/_matrix/push/v1/notify'
export const EMAIL_APP = 'm.email'

function text(body: JsonObject, key: string, maxBytes: number): string {
  const value = body[key]
  if (value === undefined || value === null) throw missingParam(`Missing parameter: ${key}`)
  if (typeof value !== 'string') throw invalidParam(`${key} must be a string`)
  if (Buffer.byteLength(value) > maxBytes) throw invalidParam(`${key} has at most ${maxBytes} bytes`)
  if (!isLegalText(value)) throw invalidParam(`${key} holds a NUL character`)
  return value
}

/** The app and the key, which name a pusher of a user. Throws M_MISSING_PARAM, M_INVALID_PARAM. */
export function pusherKey(body: JsonObject): { readonly appId: string; readonly pushkey: string } {
  const appId = text(body, 'app_id', MAX_APP_ID * 4)
  if (appId === '' || Array.from(appId).length > MAX_APP_ID)
    throw invalidParam(`app_id has 1 to ${MAX_APP_ID} characters`)
  const pushkey = text(body, 'pushkey', MAX_PUSHKEY_BYTES)
  if (pushkey === '') throw invalidParam('pushkey must not be empty')
  if (appId !== EMAIL_APP) return { appId, pushkey }
  return { appId, pushkey: canonicalEmail(pushkey) ?? pushkey }
}

/**
 * Reads a pusher, all but what only the database knows. Throws M_MISSING_PARAM, M_INVALID_PARAM.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset
 */
export function readPusher(body: JsonObject, rules: GatewayRules): PusherRequest {
  const { kind, profile_tag: tag, append, data } = body
  if (kind !== 'http' && kind !== 'email') throw invalidParam('kind is "http", "email" or null')
  const key = pusherKey(body)
  const missing = ['app_display_name', 'device_display_name', 'lang', 'data'].filter(
    (name) => body[name] === undefined || body[name] === null,
  )
  if (missing.length > 0) throw missingParam(`Missing parameters: ${missing.join(', ')}`)
  if (tag !== undefined && tag !== null) text(body, 'profile_tag', MAX_TEXT_BYTES)
  if (append !== undefined && typeof append !== 'boolean') throw invalidParam('append must be a boolean')
  if (!isObject(data)) throw invalidParam('data must be an object')
  if (Buffer.byteLength(JSON.stringify(data)) > MAX_DATA_BYTES)
    throw invalidParam(`data has at most ${MAX_DATA_BYTES} bytes`)
  if (kind === 'http') checkGateway(data['url'], rules)
  else if (key.appId !== EMAIL_APP) throw invalidParam(`The app_id of an email pusher is ${EMAIL_APP}`)
  const { format } = data
  if (format !== undefined && typeof format !== 'string') throw invalidParam('format must be a string')
  return {
    kind,
    ...key,
    appDisplayName: text(body, 'app_display_name', MAX_TEXT_BYTES),
    deviceDisplayName: text(body, 'device_display_name', MAX_TEXT_BYTES),
    profileTag: typeof tag === 'string' ? tag : undefined,
    lang: text(body, 'lang', MAX_TEXT_BYTES),
    data,
    append: append === true,
  }
}

/** Throws M_MISSING_PARAM, M_INVALID_PARAM. Names are looked up, and their addresses judged, when the gateway is connected to. */
function checkGateway(value: Json | undefined, rules: GatewayRules): void {
  if (value === undefined) throw missingParam('Missing parameter: data.url')
  const refused = (why: string): MatrixError => invalidParam(`data.url ${why}`)
  if (typeof value !== 'string' || value.length > MAX_URL || !URL.canParse(value))
    throw refused('is no web address')
  const url = new URL(value)
  const scheme = url.protocol === 'https:' || (rules.allowHttp && url.protocol === 'http:')
  if (!scheme) throw refused('must begin with https://')
  if (url.pathname !== GATEWAY_PATH) throw refused(`must have the path ${GATEWAY_PATH}`)
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw refused('must have no credentials and no fragment')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isLocal = host === 'localhost' || host.endsWith('.localhost')
  const isAddress = /^[0-9.]+$/.test(host) || host.includes(':')
  if ((isLocal && !rules.allowsAddress('127.0.0.1')) || (isAddress && !rules.allowsAddress(host)))
    throw refused('names an address that this server does not connect to')
}
