import { Type } from 'typebox'

/** May be empty. */
export const Reason = Type.String({ maxLength: 4_096 })
