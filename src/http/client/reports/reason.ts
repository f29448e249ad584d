import { Type } from 'typebox'

/** May be empty. No database keeps a NUL character. */
export const Reason = Type.String({ maxLength: 4_096, pattern: '^[^\\u0000]*$' })
