import { open, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.js'
import { isActName } from '../core/audit/acts.js'
import type { ChainedEntry } from '../core/audit/entry.js'
import { entryLine, readEntryLine } from '../core/audit/entry-line.js'
import type { Operator } from '../services/operator/operator.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type CliIo, type Command, type Options } from './command.js' // prettier-ignore
import { configFrom } from './config-file.js'
import { auditEntries, createAuditFollower, type AuditFollower, type Milestone } from './follow-audit.js'

const DEFAULT_TAIL = 20
const FOLLOW_MS = 1_000

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (/^[0-9]{1,15}$/.test(text) && Number(text) > 0) return Number(text)
  throw new CliError(`\`--${name} ${text}\`: give a whole number from 1 on`, EXIT.usage)
}

/** Whether an entry is among those that are wanted. */
function filterOf(options: Options): (row: ChainedEntry) => boolean {
  const [act, user, since] = ['act', 'user', 'since'].map((name) => options.text(name))
  if (act !== undefined && !isActName(act))
    throw new CliError(`\`--act ${act}\`: there is no such act`, EXIT.usage)
  const from = since === undefined ? 0 : Date.parse(since)
  if (Number.isNaN(from))
    throw new CliError(`\`--since ${since}\`: give a date such as 2026-11-23T08:00:00Z`, EXIT.usage)
  return ({ entry }) => {
    const { ts, by, on, ...rest } = JSON.parse(entry) as {
      ts: number
      act: string
      by: { id?: string }
      on?: string
    }
    return (
      ts >= from && (act === undefined || rest.act === act) && (user === undefined || by.id === user || on === user) // prettier-ignore
    )
  }
}

/** Runs something with the running node, or the database, each time anew. */
type Ask = <T>(work: (operator: Operator) => Promise<T>) => Promise<T>

async function asking(config: Config): Promise<Ask> {
  const { withOperator } = await import('./with-operator.js')
  return async (work) => (await withOperator(config, work)).value
}

async function verifyLog(config: Config, io: CliIo, against: string | undefined): Promise<number> {
  const { withOperator } = await import('./with-operator.js')
  const { value } = await withOperator(config, async (operator) => {
    const milestones: Milestone[] = []
    if (against !== undefined) {
      const deposited = await operator.auditDeposit(against)
      if (deposited === undefined) return { fault: `nothing of this log was deposited with ${against}` }
      milestones.push({ ...deposited, from: against })
    }
    const { head, cut } = await operator.auditLog({ after: 0, limit: 1 })
    if (cut !== undefined && !cut.isSigned)
      return { fault: 'the record of what was cut off does not bear the signature of this server' }
    const follower = createAuditFollower(
      [...milestones, { ...head, from: 'the head that is kept beside it' }],
      cut,
    )
    for await (const row of auditEntries((page) => operator.auditLog(page), cut?.id ?? 0)) {
      const fault = follower.take(row)
      if (fault !== undefined) return { fault }
    }
    return { fault: follower.end(), head: follower.head(), deposited: milestones[0], cut }
  })
  if (value.fault !== undefined) throw new CliError(`the audit log is not whole: ${value.fault}`)
  io.out(`the audit log is whole: ${value.head!.id} entries, the last hash is ${value.head!.hash}`)
  if (value.cut !== undefined)
    io.out(`what was before entry ${value.cut.id + 1} was cut off at ${new Date(value.cut.ts).toISOString()}, by a signed record`) // prettier-ignore
  if (value.deposited !== undefined)
    io.out(`${against} knows it up to entry ${value.deposited.id}, and has the same`)
  return EXIT.ok
}

async function verifyFile(path: string, io: CliIo): Promise<number> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`)
  }
  let follower: AuditFollower | undefined
  let number = 0
  let first = 1
  for await (const line of file.readLines()) {
    number += 1
    if (line === '') continue
    const row = readEntryLine(line)
    if (follower === undefined && row !== undefined && row.id > 1) {
      // The beginning was cut off, or was not asked for: from here on it is as whole as it is.
      follower = createAuditFollower([], { id: row.id, hash: row.hash })
      first = row.id
      continue
    }
    follower ??= createAuditFollower([])
    const fault = row === undefined ? 'it is no entry of an audit log' : follower.take(row)
    if (fault !== undefined) throw new CliError(`line ${number} of the file: ${fault}`)
  }
  const { id, hash } = (follower ?? createAuditFollower([])).head()
  const what =
    first === 1 ? 'the whole audit log' : `the audit log from entry ${first} on, and nothing from before,`
  io.out(`the file has ${what} up to entry ${id}, whose hash is ${hash}`)
  return EXIT.ok
}

async function exportLog(config: Config, io: CliIo, options: Options): Promise<number> {
  const from = wholeNumber('from', options.text('from'), 1)
  const isWanted = filterOf(options)
  const { withOperator } = await import('./with-operator.js')
  await withOperator(config, async (operator) => {
    await operator.auditShown({ how: 'export', from })
    for await (const row of auditEntries((page) => operator.auditLog(page), from - 1))
      if (isWanted(row)) io.out(entryLine(row))
  })
  return EXIT.ok
}

async function tailLog(config: Config, io: CliIo, options: Options): Promise<number> {
  const lines = wholeNumber('lines', options.text('lines'), DEFAULT_TAIL)
  const isWanted = filterOf(options)
  const ask = await asking(config)
  let last = await ask(async (operator) => {
    const { head } = await operator.auditLog({ after: 0, limit: 1 })
    const from = Math.max(0, head.id - lines)
    await operator.auditShown({ how: 'tail', from: from + 1 })
    return from
  })
  do {
    const rows = await ask(async (operator) => {
      const { entries } = await operator.auditLog({ after: last, limit: 500 })
      return entries
    })
    for (const row of rows.filter(isWanted)) io.out(entryLine(row))
    last = rows.at(-1)?.id ?? last
    if (rows.length === 0 && options.has('follow')) await sleep(FOLLOW_MS)
    else if (rows.length === 0) break
  } while (true) // oxlint-disable-line no-constant-condition
  return EXIT.ok
}

const ACTIONS = ['verify', 'export', 'tail', 'forget'] as const

/** Looks at the audit log, which needs no trust in the node: what is read is checked here. */
export const audit: Command = {
  name: 'audit',
  summary: 'check the audit log, write it out, or follow it',
  words: ['verify|export|tail|forget', 'SERVER'],
  help: [
    '  verify              follow the chain of all entries; fails where one is missing or was changed',
    '    --against SERVER  ask that member where the log ended when its head was deposited there, too',
    '    --file FILE       a whole export in place of the log of the node',
    '  export              write the entries as lines of JSON',
    '    --from N          from that entry on',
    '  tail                write the last entries',
    `    --lines N         how many; default: ${DEFAULT_TAIL}`,
    '    --follow          and those that come',
    '  export and tail:',
    '    --since DATE      not before; such as 2026-11-23 or 2026-11-23T08:00:00Z',
    '    --act NAME        of that kind alone, such as session.refused',
    '    --user ID         by or on that user',
    '  forget SERVER       forget where the log of a member ended, which was restored from a backup',
    CONFIG_HELP,
  ],
  options: {
    ...CONFIG_OPTION,
    against: { type: 'string' },
    file: { type: 'string' },
    from: { type: 'string' },
    lines: { type: 'string' },
    follow: { type: 'boolean' },
    since: { type: 'string' },
    act: { type: 'string' },
    user: { type: 'string' },
  },
  async run(options, io) {
    const action = word(this, options, 0)
    if (!ACTIONS.some((name) => name === action))
      throw new CliError(`\`${action}\` is none of ${ACTIONS.join(', ')}`, EXIT.usage)
    const file = options.text('file')
    if (action === 'verify' && file !== undefined) return verifyFile(resolve(io.cwd, file), io)
    const server = action === 'forget' ? word(this, options, 1) : undefined
    const { config } = configFrom(options, io)
    if (action === 'verify') return verifyLog(config, io, options.text('against'))
    if (action === 'export') return exportLog(config, io, options)
    if (action === 'tail') return tailLog(config, io, options)
    const ask = await asking(config)
    await ask((operator) => operator.forgetAuditDeposit(server!))
    io.out(`what ${server} deposited is forgotten; its log may begin anew`)
    return EXIT.ok
  },
}
