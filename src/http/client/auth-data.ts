import { Type } from 'typebox'
import type { Json } from '../../core/json/value.js'

/** The `auth` of requests with interactive authentication; what it must hold depends on the stage. */
export const AuthData = Type.Optional(Type.Unknown())

/** Bodies are JSON as it was parsed, so that an unchecked member of one is JSON too. */
export const json = (value: unknown): Json | undefined => value as Json | undefined
