import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command, type Options } from './command.js'
import { configFrom } from './config-file.js'
import { printable } from './reports.js'

interface Hold {
  readonly kind: string
  readonly target: string
  readonly reason: string
  readonly set_by: string
  readonly since: number
}

interface Purge {
  readonly id: number
  readonly record: string
  readonly receipts: readonly { readonly server: string; readonly receipt: string | null }[]
}

const PAGE = 1_000
const PURGE_TIMEOUT_MS = 6 * 3_600_000

export const holdLine = ({ kind, target, reason, set_by: by, since }: Hold): string =>
  `${kind} ${target}  since ${new Date(since).toISOString()} by ${by}: ${printable(reason)}`

/** JSON lines, each a record as it was signed, with the receipts as they were signed. */
export const purgeLine = ({ id, record, receipts }: Purge): string =>
  JSON.stringify({
    id,
    record: JSON.parse(record) as object,
    receipts: receipts.map(({ server, receipt }) => ({
      server,
      receipt: receipt === null ? null : (JSON.parse(receipt) as object),
    })),
  })

function subject(command: Command, options: Options): { readonly kind: string; readonly target: string } {
  const target = word(command, options, 1)
  const kind = target.startsWith('!') ? 'room' : target.startsWith('@') ? 'user' : undefined
  if (kind === undefined)
    throw new CliError(`\`${target}\` is neither a room (\`!…\`) nor a user (\`@…\`)`, EXIT.usage)
  return { kind, target }
}

export const retention: Command = {
  name: 'retention',
  summary: 'keep what a room or user has said though its time is over, and see what was purged',
  words: ['hold|lift|holds|records|purge', 'ID'],
  help: [
    '  hold ID --reason TEXT   nothing of the room (`!…`) or user (`@…`) is deleted from now on; what is too old stays unseen',
    '  lift ID                 what was held goes with the next purge',
    '  holds                   what is held',
    '  records                 what was purged: JSON lines, signed, with the receipts of other nodes',
    '  purge                   look for what is too old now',
    CONFIG_HELP,
    '',
    'The node must be running.',
  ],
  options: { ...CONFIG_OPTION, reason: { type: 'string' } },
  async run(options, io) {
    const action = word(this, options, 0)
    const { config } = configFrom(options, io)
    const { call, NoNode } = await import('./node-operator.js')
    const ask = (what: string, body: object = {}, timeout?: number): Promise<Record<string, unknown>> =>
      call(config.operator_socket, `retention/${what}`, body, timeout)
    try {
      switch (action) {
        case 'hold': {
          const reason = options.text('reason')
          if (reason === undefined) throw new CliError('`hold` needs a `--reason`', EXIT.usage)
          const { kind, target } = subject(this, options)
          await ask('hold', { kind, target, reason })
          io.out(`${target} is held`)
          return EXIT.ok
        }
        case 'lift': {
          const { kind, target } = subject(this, options)
          await ask('lift', { kind, target })
          io.out(`${target} is held no more`)
          return EXIT.ok
        }
        case 'holds':
          for (const hold of (await ask('holds'))['holds'] as Hold[]) io.out(holdLine(hold))
          return EXIT.ok
        case 'records':
          for (let before: number | undefined; ;) {
            const page = { limit: PAGE, ...(before === undefined ? {} : { before }) }
            const rows = (await ask('records', page))['records'] as Purge[]
            for (const row of rows) io.out(purgeLine(row))
            if (rows.length < PAGE) return EXIT.ok
            before = rows.at(-1)!.id
          }
        case 'purge': {
          const { rooms, events, media } = await ask('purge', {}, PURGE_TIMEOUT_MS)
          io.out(`purged: ${String(events)} messages in ${String(rooms)} rooms, ${String(media)} files`)
          return EXIT.ok
        }
        default:
          throw new CliError(`\`${action}\` is none of hold, lift, holds, records, purge`, EXIT.usage)
      }
    } catch (error) {
      if (!(error instanceof NoNode)) throw error
      throw new CliError(`no node answers at ${config.operator_socket}: it must run`)
    }
  },
}
