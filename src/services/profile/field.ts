import { invalidParam, MatrixError } from '../../core/errors.js'
import { isMxcUri } from '../../core/ids/mxc-uri.js'
import type { Json } from '../../core/json/value.js'

/** The whole profile as JSON. SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname */
export const MAX_PROFILE_BYTES = 65_536

const MAX_KEY_BYTES = 255
const MAX_DISPLAY_NAME = 256
const MAX_AVATAR_URL = 1_000
/** What a careless program would fetch: a scheme, or the double slash of a host. */
const ADDRESS = /^[\s\p{Cc}]*(?:[a-z][a-z0-9+.-]*:|[/\\])/iu

/** A custom field has a namespaced name. SPEC: https://spec.matrix.org/v1.19/appendices/#common-namespaced-identifier-grammar */
const CUSTOM = /^[a-z][a-z0-9_-]*\.[a-z0-9._-]*$/

const DEFINED: ReadonlySet<string> = new Set(['displayname', 'avatar_url', 'm.tz'])

/** Whether a profile may have a field of this name. */
export const isProfileField = (field: string): boolean =>
  DEFINED.has(field) || (field.length <= MAX_KEY_BYTES && CUSTOM.test(field))

/** Throws M_KEY_TOO_LARGE, M_INVALID_PARAM. */
export function checkFieldName(field: string): void {
  if (field.length > MAX_KEY_BYTES)
    throw new MatrixError('M_KEY_TOO_LARGE', `The name of a profile field has at most ${MAX_KEY_BYTES} bytes`)
  if (!isProfileField(field)) throw invalidParam('This is not the name of a profile field')
}

/**
 * The value to store, undefined to remove the field: clients clear a display name or an avatar with an empty string
 * or null. Throws M_INVALID_PARAM.
 */
export function checkedValue(field: string, value: Json): Json | undefined {
  switch (field) {
    case 'displayname':
      if (value === null || value === '') return undefined
      if (typeof value !== 'string') throw invalidParam('displayname must be a string')
      if (value.length > MAX_DISPLAY_NAME)
        throw invalidParam(`displayname has at most ${MAX_DISPLAY_NAME} characters`)
      return value
    case 'avatar_url':
      if (value === null || value === '') return undefined
      // NOTSPEC: text that is no URI at all is taken, as by all other servers; nothing can be fetched from it.
      if (
        typeof value !== 'string' ||
        value.length > MAX_AVATAR_URL ||
        (!isMxcUri(value) && ADDRESS.test(value))
      )
        throw invalidParam('avatar_url must be an MXC URI')
      return value
    case 'm.tz':
      if (typeof value !== 'string' || value.length > 255)
        throw invalidParam('m.tz must be the name of a time zone')
      return value
    default:
      return value
  }
}

/** Whether a value that a remote server answers may be handed to clients as this field. */
export function isPresentable(field: string, value: Json): boolean {
  if (!isProfileField(field)) return false
  // A client may fetch it without a second look.
  if (field === 'avatar_url' && typeof value === 'string' && ADDRESS.test(value) && !isMxcUri(value))
    return false
  return DEFINED.has(field) ? typeof value === 'string' : true
}
