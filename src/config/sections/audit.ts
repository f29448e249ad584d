import { Type } from 'typebox'
import { flag } from '../fields.js'

export const audit = {
  audit: Type.Object(
    {
      enabled: flag(
        'Keep the log. Once begun it can be switched off and on again, and never be changed; it grows by some 500 bytes for each act.',
        false,
      ),
    },
    {
      description:
        'The audit log: who signed in, what administrators and operators did, what rules refused; each entry is chained to the one before, so that nothing can be taken out unseen (docs/operations.md).',
      default: {},
    },
  ),
} as const
