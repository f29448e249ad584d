import type { ReportInfo } from '../services/operator/operator.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'

const DEFAULT_LIMIT = 50

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0
  if (number < 1) throw new CliError(`\`${name} ${text}\`: give a whole number from 1 on`, EXIT.usage)
  return number
}

/** What others wrote, without characters that would change the terminal or pretend another line. */
export const printable = (text: string): string => JSON.stringify(text).replaceAll(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?') // prettier-ignore

export function reportLines(report: ReportInfo): string[] {
  const what = [report.kind, report.roomId, report.eventId, report.userId].filter((part) => part !== '')
  return [
    `${report.id}  ${new Date(report.createdTs).toISOString()}  ${report.reporter} reported ${what.map((part) => printable(part).slice(1, -1)).join(' ')}`,
    ...(report.reason === '' ? [] : [`    reason: ${printable(report.reason)}`]),
    ...(report.event === null
      ? []
      : [`    event: ${printable(report.event).slice(1, -1).replaceAll('\\"', '"')}`]),
  ]
}

export const reports: Command = {
  name: 'reports',
  summary: 'list what users have reported, or delete a report that is dealt with',
  words: ['list|delete', 'NUMBER'],
  help: [
    '  list                show the newest reports',
    `    --limit N         how many; default: ${DEFAULT_LIMIT}, at most 1000`,
    '    --before NUMBER   only those with a lower number: the next page',
    '  delete NUMBER       forget the report',
    CONFIG_HELP,
  ],
  options: { ...CONFIG_OPTION, limit: { type: 'string' }, before: { type: 'string' } },
  async run(options, io) {
    const action = word(this, options, 0)
    if (action !== 'list' && action !== 'delete')
      throw new CliError(`\`${action}\` is neither \`list\` nor \`delete\``, EXIT.usage)
    const limit = wholeNumber('--limit', options.text('limit')) ?? DEFAULT_LIMIT
    const before = wholeNumber('--before', options.text('before'))
    const id = action === 'delete' ? wholeNumber('delete', word(this, options, 1)) : undefined
    const { config } = configFrom(options, io)
    const { withOperator } = await import('./with-operator.js')
    if (id !== undefined) {
      const done = await withOperator(config, (operator) => operator.deleteReport(id))
      io.out(`report ${id} is deleted (${done.where})`)
      return EXIT.ok
    }
    const page = { limit, ...(before === undefined ? {} : { before }) }
    const { value } = await withOperator(config, (operator) => operator.listReports(page))
    if (value.length === 0) io.out('nothing was reported')
    for (const report of value) reportLines(report).forEach((line) => io.out(line))
    return EXIT.ok
  },
}
