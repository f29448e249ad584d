import { Type } from 'typebox'
import { choice, duration, integer, list, size, text } from '../fields.js'

const type = Type.String({ maxLength: 127 })
const code = Type.Integer({ minimum: 1, maximum: 255 })

export const contentScanner = {
  content_scanner: Type.Object(
    {
      engine: choice(
        '`clamd`: the daemon of ClamAV; `command`: any program; `off`: files are given as they are.',
        ['off', 'clamd', 'command'],
        'off',
      ),
      mode: choice(
        '`strict` gives encrypted files through the scanner alone, and as they are to members of the node list alone; `advisory` also to clients that do not ask the scanner (docs/ministries.md).',
        ['advisory', 'strict'],
        'advisory',
      ),
      clamd: Type.Object(
        {
          socket: text('The socket of clamd: a path, or `host:port`.', '/run/clamav/clamd.ctl', {
            maxLength: 255,
          }),
        },
        { description: 'Where clamd listens.', default: {} },
      ),
      command: Type.Object(
        {
          program: Type.Optional(
            text(
              'The program. It is run without a shell, with the path of the file as its last argument.',
              undefined,
              { format: 'path', example: '/usr/local/bin/scan' },
            ),
          ),
          args: list('Arguments before the path of the file.', Type.String({ maxLength: 4_096 }), [], {
            maxItems: 100,
          }),
          infected_codes: list(
            'Exit codes that mean "infected". 0 means "clean", and every other that the program failed.',
            code,
            [1],
            { maxItems: 255 },
          ),
          version: text(
            'Stands for the version of its signatures: change it, and files are looked at again.',
            '1',
            { maxLength: 200 },
          ),
        },
        { description: 'A program that looks at files.', default: {} },
      ),
      max_bytes: size(
        'The largest file that is handed to the engine; larger ones are given to nobody. With clamd not more than its `StreamMaxLength`.',
        '100M',
      ),
      timeout: duration(
        'How long the engine may take for one file. Until it has answered, nobody gets it.',
        '60s',
      ),
      max_concurrent: integer('Files that are looked at at the same time.', 8, 1, 256),
      allow_types: Type.Union([Type.Null(), Type.Array(type, { maxItems: 1_000 })], {
        description:
          'Kinds of files that are given, by their content: `image/png` or `image/*`; `null`: all that are not denied.',
        default: null,
      }),
      deny_types: list(
        'Kinds of files that are given to nobody, whether by their content or by what their sender calls them.',
        type,
        [],
        { maxItems: 1_000 },
      ),
    },
    {
      description:
        'Looks for viruses in every file before it is given to anybody. Where the scanner is dead or slow, no file is given.',
      default: {},
    },
  ),
} as const
