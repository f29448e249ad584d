import type { MoveReport } from '../services/account-moves/move-report.js'
import type { MoveStatus } from '../services/account-moves/account-moves.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { printable } from './reports.js'

const REPORT_TIMEOUT_MS = 10 * 60_000

/** Names of rooms were given by people: they are printed so that they cannot change the terminal. */
const roomLine = ({
  roomId,
  name,
  why,
}: {
  roomId: string
  name?: string | undefined
  why?: string
}): string =>
  `    ${roomId}${name === undefined ? '' : ` ${printable(name)}`}${why === undefined ? '' : `: ${why}`}`

/** What will stay behind, line by line. */
export function reportLines(report: MoveReport): string[] {
  const { rooms, encrypted, backup, devices, outside, powersBehind, replaced } = report
  const list = (head: string, items: readonly Parameters<typeof roomLine>[0][]): string[] =>
    items.length === 0 ? [] : [head, ...items.map(roomLine)]
  return [
    `${report.oldUser} goes to ${report.newUser}, with ${rooms} rooms, ${encrypted} of them encrypted`,
    backup === undefined
      ? encrypted === 0
        ? 'there is no key backup, and nothing encrypted that would need one'
        : 'THERE IS NO KEY BACKUP: what was said in encrypted rooms cannot be read with the new account. Have the person set one up first'
      : `the key backup with ${backup.keys} keys goes along; ${
          backup.hasStoredSecret
            ? 'the recovery key or passphrase of the old account opens it'
            : 'it takes its own recovery key, as the secret storage of the account has none'
        }`,
    `${devices} sessions end: the person signs in with the new account, and verifies anew`,
    ...list('rooms that the new account does not come into by itself:', outside),
    ...list('powers that stay behind:', powersBehind),
    ...list('rooms that are replaced by new ones, which everybody has to join:', replaced),
  ]
}

export function statusLines(status: MoveStatus): string[] {
  const { side, oldUser, newUser, step, notAfter, failure, rooms, remarks } = status
  const counts = Object.entries(rooms).map(([name, count]) => `${count} ${name}`)
  return [
    `${oldUser} → ${newUser}, ${side === 'source' ? 'from here' : 'to here'}: ${STEPS[step] ?? step}`,
    `    until ${new Date(notAfter).toISOString()}${counts.length === 0 ? '' : `; rooms: ${counts.join(', ')}`}`,
    ...(failure === undefined ? [] : [`    the last try failed: ${printable(failure)}`]),
    ...remarks.map(({ roomId, words }) => roomLine({ roomId, why: words })),
  ]
}

const STEPS: Readonly<Record<string, string>> = {
  asked: 'waits for the person to say yes',
  ordered: 'waits for the other node to sign',
  certified: 'the bundle is about to be read',
  taken: 'the other node has the bundle',
  rooms: 'the new account comes into the rooms',
  closing: 'the old account is about to be locked',
  telling: 'done here; the other node does not know it yet',
  expected: 'waits for the other node to offer it',
  reading: 'the bundle is being read',
  received: 'the bundle is here; the other node does not know it yet',
  joining: 'joins rooms as invites come',
  finished: 'joins the last rooms',
  done: 'done',
  expired: 'the time was over before anything was moved',
  cancelled: 'called off',
}

const ACTIONS = ['send', 'receive', 'status', 'cancel'] as const

export const account: Command = {
  name: 'account',
  summary: 'move an account to another member node, or take one over from there',
  words: ['move', ACTIONS.join('|'), 'USER'],
  help: [
    '  move send USER --to NEW         USER of this node goes on as NEW of another one, which must wait for it (`receive`)',
    '    --dry-run                     only tell what will stay behind',
    '    --order TEXT                  without asking the person: the reason is kept in the audit log',
    '  move receive USER --as NEW      on the other node: NEW, an account of it, goes on for USER',
    '  move status [USER]              how far moves are; of all without USER',
    '  move cancel USER                call off a move that has not begun',
    '  USER and NEW are ids such as @ana:finances.example; of this node the name alone will do. The node must be running.',
    CONFIG_HELP,
  ],
  options: {
    ...CONFIG_OPTION,
    to: { type: 'string' },
    as: { type: 'string' },
    order: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  async run(options, io) {
    if (word(this, options, 0) !== 'move')
      throw new CliError(`\`${options.words[0]}\` is not \`move\``, EXIT.usage)
    const action = word(this, options, 1)
    if (!ACTIONS.some((known) => known === action))
      throw new CliError(`\`${action}\` is none of ${ACTIONS.join(', ')}`, EXIT.usage)
    const given = options.words[2]
    if (action !== 'status') word(this, options, 2)
    const needed = action === 'send' ? 'to' : action === 'receive' ? 'as' : undefined
    const other = needed === undefined ? undefined : options.text(needed)
    if (needed !== undefined && other === undefined)
      throw new CliError(`\`${action}\` needs \`--${needed}\``, EXIT.usage)
    const { config } = configFrom(options, io)
    const idOf = (name: string): string => (name.startsWith('@') ? name : `@${name}:${config.server_name}`)
    const { call, NoNode } = await import('./node-operator.js')
    const ask = (what: string, body: object, timeout?: number): Promise<Record<string, unknown>> =>
      call(config.operator_socket, `account-moves/${what}`, body, timeout)
    try {
      switch (action) {
        case 'send': {
          const two = { oldUser: idOf(given!), newUser: idOf(other!) }
          const report = (await ask('report', two, REPORT_TIMEOUT_MS)) as unknown as MoveReport
          reportLines(report).forEach((line) => io.out(line))
          if (options.has('dry-run')) return EXIT.ok
          const reason = options.text('order')
          await ask('send', { ...two, ...(reason === undefined ? {} : { reason }) })
          io.out(
            reason === undefined
              ? `${two.oldUser} is asked, and can say yes with their client`
              : 'the move is ordered: `chancery account move status` says how far it is',
          )
          return EXIT.ok
        }
        case 'receive': {
          const two = { oldUser: idOf(given!), newUser: idOf(other!) }
          await ask('receive', two)
          io.out(`${two.newUser} goes on for ${two.oldUser} as soon as the other node offers it`)
          return EXIT.ok
        }
        case 'cancel':
          await ask('cancel', { user: idOf(given!) })
          io.out('the move is called off')
          return EXIT.ok
        default: {
          const answer = await ask('status', given === undefined ? {} : { user: idOf(given) })
          const moves = answer['moves'] as readonly MoveStatus[]
          if (moves.length === 0) io.out('nobody moves')
          moves.flatMap(statusLines).forEach((line) => io.out(line))
          return EXIT.ok
        }
      }
    } catch (error) {
      if (!(error instanceof NoNode)) throw error
      throw new CliError(
        `no node answers at ${config.operator_socket}: it must run, since it talks to the others`,
      )
    }
  },
}
