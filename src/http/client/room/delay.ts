import { Type } from 'typebox'

/** Milliseconds that an event is held back. NOTSPEC: MSC4140. */
export const DELAY = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
