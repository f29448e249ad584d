import { Type } from 'typebox'
import { choice, duration, flag, integer, list, text } from '../fields.js'

export const audit = {
  audit: Type.Object(
    {
      enabled: flag(
        'Keep the log. Once begun it can be switched off and on again, and never be changed; it grows by some 500 bytes for each act.',
        false,
      ),
      keep: Type.Union([Type.Null(), Type.Number({ format: 'duration' })], {
        description:
          'How long entries are kept; older ones are cut off once a day, and a signed record says so, from which the rest can be verified. Not before the log server and the members of `deposit_with` have them. `null`: for ever.',
        default: null,
      }),
      deposit_with: list(
        'Member nodes with which the signed head of the log is left, so that whoever could write the log anew is found out. They take it where this server is in their node list.',
        Type.String({ format: 'server-name' }),
        [],
        { maxItems: 8 },
      ),
      deposit_every: duration('How often.', '5m'),
      syslog: Type.Object(
        {
          transport: choice(
            '`off`: nowhere; `udp`, `tcp` (frames with their length): to `host` and `port`; `unix`: to the stream socket `socket`.',
            ['off', 'udp', 'tcp', 'unix'],
            'off',
          ),
          host: text('The log server.', '127.0.0.1', { format: 'host' }),
          port: integer('Its port.', 514, 1, 65_535),
          socket: Type.Optional(
            text('The socket of a log server on this machine.', undefined, {
              format: 'path',
              example: '/run/syslog-stream',
            }),
          ),
        },
        {
          description:
            'Each entry also goes to a log server, by RFC 5424, as JSON. What it cannot take waits; it may get an entry twice.',
          default: {},
        },
      ),
    },
    {
      description:
        'The audit log: who signed in, what administrators and operators did, what rules refused; each entry is chained to the one before, so that nothing can be taken out unseen (docs/operations.md).',
      default: {},
    },
  ),
} as const
