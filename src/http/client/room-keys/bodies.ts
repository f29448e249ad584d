import { Type } from 'typebox'
import { badJson } from '../../../core/errors.js'
import { isObject, type JsonObject } from '../../../core/json/value.js'

/** A JSON object of which the schema says no more. */
export const JsonObjectBody = Type.Object({})

/** What the schema has checked, typed as JSON. */
export function jsonObjectOf(value: unknown): JsonObject {
  if (!isObject(value)) throw badJson('not a JSON object')
  return value
}

export const VersionQuery = Type.Object({ version: Type.String({ minLength: 1, maxLength: 255 }) })

/** A request may carry many sessions at once. */
export const MAX_KEYS_BODY = 8 * 1024 * 1024
/** Ten for each session. */
export const MAX_KEYS_VALUES = 50_000
