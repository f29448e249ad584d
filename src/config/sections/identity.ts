import { Type } from 'typebox'
import { list } from '../fields.js'

export const identity = {
  identity_servers: Type.Object(
    {
      trusted: list(
        'Identity servers that users may work with: who has an e-mail address is looked up there, and invites of addresses are kept there. They learn whom your users invite. Reached as other servers are, by `federation.ca_files` and the ranges of addresses.',
        Type.String({ format: 'server-name' }),
        [],
        { maxItems: 20 },
      ),
    },
    {
      description: 'Invites by e-mail address. Refused while no identity server is trusted.',
      default: {},
    },
  ),
} as const
