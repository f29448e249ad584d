import type { CaseActionName, CaseRequest } from '../services/operator/case-work.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command, type Options } from './command.js'
import { configFrom } from './config-file.js'

const ACTIONS = ['redact', 'lock', 'suspend', 'quarantine_media', 'shut_down_room'] as const
const LIMIT = 100

const isAction = (text: string | undefined): text is CaseActionName => ACTIONS.some((name) => name === text)

function requestOf(command: Command, options: Options): CaseRequest {
  const [what, , argument] = options.words
  if (what === 'list') return { do: 'list', overdue: options.has('overdue'), limit: LIMIT }
  const number = word(command, options, 1)
  if (!/^[1-9][0-9]{0,14}$/.test(number))
    throw new CliError(`\`${number}\` is no number of a case`, EXIT.usage)
  const id = Number(number)
  const reason = options.text('reason')
  switch (what) {
    case 'show':
      return { do: 'show', id }
    case 'assign':
      return { do: 'assign', id, assignee: argument ?? null }
    case 'close':
      if (argument !== 'upheld' && argument !== 'rejected')
        throw new CliError('say `upheld` or `rejected`', EXIT.usage)
      return { do: 'close', id, resolution: argument, ...(reason === undefined ? {} : { comment: reason }) }
    case 'act':
      if (!isAction(argument)) throw new CliError(`say one of ${ACTIONS.join(', ')}`, EXIT.usage)
      return { do: 'act', id, action: argument, ...(reason === undefined ? {} : { reason }) }
    default:
      throw new CliError(`\`${what}\` is none of list, show, assign, close, act`, EXIT.usage)
  }
}

/** The desk of the moderators. What others wrote is printed as JSON, so that it cannot change the terminal. */
export const cases: Command = {
  name: 'cases',
  summary: 'work on what users have reported: list, assign, act, close',
  words: ['list|show|assign|close|act', 'NUMBER', 'WHAT'],
  help: [
    '  list                     what is not closed, what is due first comes first',
    '    --overdue              only what should have been closed by now',
    '  show NUMBER              one case, with the event as the reporter saw it',
    '  assign NUMBER [USER]     to a moderator; without USER to nobody',
    `  act NUMBER ACTION        ${ACTIONS.join(', ')}`,
    '  close NUMBER RESOLUTION  upheld or rejected',
    '    --reason TEXT          of an act, or the comment of a closed case',
    CONFIG_HELP,
  ],
  options: { ...CONFIG_OPTION, overdue: { type: 'boolean' }, reason: { type: 'string' } },
  async run(options, io) {
    word(this, options, 0)
    const request = requestOf(this, options)
    const { config } = configFrom(options, io)
    const { withOperator } = await import('./with-operator.js')
    const { value } = await withOperator(config, (operator) => operator.workOnCase(request))
    const found = request.do === 'list' ? value['cases'] : [value]
    for (const item of Array.isArray(found) ? found : []) io.out(JSON.stringify(item))
    return EXIT.ok
  },
}
