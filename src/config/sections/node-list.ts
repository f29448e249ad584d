import { Type } from 'typebox'
import { duration, list, text } from '../fields.js'

export const nodeList = {
  node_list: Type.Object(
    {
      file: Type.Optional(
        text(
          'The list as a file. It is read again and again, and may be replaced while the node runs.',
          undefined,
          {
            format: 'path',
            example: 'node-list.json',
          },
        ),
      ),
      url: Type.Optional(
        text(
          'The list at an https address, in place of `file`. Reached as other servers are, by `federation.ca_files` and the ranges of addresses.',
          undefined,
          { format: 'http-url', example: 'https://administration.example/node-list.json' },
        ),
      ),
      trusted_signers: list(
        'Whose signatures count until the list names others: `- { name: anssi, key_id: "ed25519:a_1", public_key: base64 }`.',
        Type.Object({
          name: text('The name that signs.', undefined, { maxLength: 64 }),
          key_id: text('The id of the key.', undefined, { format: 'server-key-id' }),
          public_key: text('The public key, as unpadded base64.', undefined, { format: 'public-key' }),
        }),
        [],
        { maxItems: 16 },
      ),
      threshold: Type.Union([Type.Null(), Type.Integer({ minimum: 1, maximum: 16 })], {
        description: 'How many of the trusted signers must have signed. `null`: all of them.',
        default: null,
      }),
      refresh: duration('How often the list is looked for.', '15m'),
      warn_before: duration('How long before the list runs out the log warns.', '14d'),
      grace: duration(
        'How long after the list has run out all goes on. Then only servers with which rooms are shared are spoken with.',
        '7d',
      ),
    },
    {
      description:
        'One signed document that says which servers this one speaks with, where they are, and which keys they have (docs/ministries.md). Without `file` or `url` there is none.',
      default: {},
    },
  ),
} as const
