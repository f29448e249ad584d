import { needsConfirmation, type CommandName } from '../../core/admin-commands/commands.js'
import { parseChatLine, type ChatLine } from '../../core/admin-commands/parse-command.js'
import { userActor } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import * as rows from '../../storage/tables/admin-bot.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Commander } from '../admin-commands/act.js'
import type { AdminCommands } from '../admin-commands/admin-commands.js'
import type { AuditTrail } from '../audit/trail.js'
import { verdictWords, type SecondFactor } from '../second-factor/second-factor.js'
import { helpFor, type Answer } from './answers.js'
import type { BotRoom } from './bot-room.js'
import { answeredEvent, commandText } from './command-text.js'

export interface IntakeDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Pick<Logger, 'error'>
  readonly audit: AuditTrail
  readonly commands: Pick<AdminCommands, 'plan'>
  readonly secondFactor: Pick<SecondFactor, 'verify'>
  commanders(): Promise<ReadonlySet<string>>
  /** For commands that come from here. */
  commander(userId: string, eventId: string): Commander
  readonly bot: string
  /** How long a code is waited for. */
  readonly confirmWithinMs: number
}

/** Takes up what was said in the bot's room. What is to be done about it stands in the database before it begins, each message once. */
export interface Intake {
  /** Gives whether there may be more. */
  read(room: BotRoom): Promise<boolean>
}

const PAGE = 50
/** A command that was read later than this is not carried out: whoever gave it does not expect it any more. */
const MAX_AGE_MS = 10 * 60_000

const MAY_NOT = 'You may not command this bot.'
const TOO_OLD = 'This came long ago, while the bot was away: give the command again.'
const NOTHING_WAITS = 'No command of yours waits for a code.'
const GIVEN_UP = 'Given up: nothing was done.'

/** What becomes of a message. */
type Decision =
  | {
      readonly kind: 'answer'
      readonly answer: Answer
      readonly isRefusal?: true
      readonly operation?: string
    }
  | {
      readonly kind: 'command'
      readonly command: CommandName
      readonly arguments: ReadonlyMap<string, string>
      readonly will: string
      readonly waits: boolean
    }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'code'; readonly code: string; readonly answered: string | undefined }

export function createIntake(deps: IntakeDeps): Intake {
  const { store, clock, audit, bot } = deps

  const contentOf = (json: string): JsonObject => {
    const event = JSON.parse(json) as Json
    const content = isObject(event) ? event['content'] : undefined
    return isObject(content) ? content : {}
  }

  async function decide(event: rows.RoomMessageRow, line: ChatLine, content: JsonObject): Promise<Decision> {
    const answer = (words: string): Decision => ({ kind: 'answer', answer: { words } })
    if (!(await deps.commanders()).has(event.sender)) {
      const operation = line.kind === 'command' ? line.command : line.kind
      return { kind: 'answer', answer: { words: MAY_NOT }, isRefusal: true, operation }
    }
    switch (line.kind) {
      case 'help':
        return { kind: 'answer', answer: helpFor(line.command) }
      case 'fault':
        return answer(line.message)
      case 'cancel':
        return { kind: 'cancel' }
      case 'code':
        return { kind: 'code', code: line.code, answered: answeredEvent(content) }
      case 'talk':
        return answer('')
      case 'command':
        break
    }
    if (event.ts < clock.now() - MAX_AGE_MS) return answer(TOO_OLD)
    const { command, arguments: given } = line
    try {
      const plan = await deps.commands.plan(deps.commander(event.sender, event.event_id), command, given)
      return { kind: 'command', ...plan, waits: needsConfirmation(command, plan.arguments) }
    } catch (error) {
      if (error instanceof MatrixError) return answer(`${error.message} (${error.errcode})`)
      deps.logger.error({ err: error, command }, 'a command to the administration bot failed')
      return answer('This failed: the log of the server says why.')
    }
  }

  const row = (event: rows.RoomMessageRow, more: Partial<rows.BotCommandRow>): rows.BotCommandRow => ({
    event_id: event.event_id,
    pos: event.pos,
    sender: event.sender,
    ...{
      command: '',
      arguments: '{}',
      will: '',
      state: 'done',
      outcome: null,
      has_secret: 0,
      prompt_id: null,
    },
    ts: clock.now(),
    until_ts: 0,
    ...more,
  })

  const said = (answer: Answer): string => JSON.stringify(answer)

  /** Post: nothing of the sender's waits any more; gives whether something did. */
  function* giveUp(sender: string): Tx<boolean> {
    const waiting = yield* rows.waitingCommandOf(sender)
    if (waiting === undefined) return false
    return yield* rows.moveBotCommand(waiting.event_id, 'waiting', 'done', said({ words: GIVEN_UP }))
  }

  /** Whatever comes of the code, it is used up: others in the room have seen it. */
  function* takeCode(
    event: rows.RoomMessageRow,
    { code, answered }: Extract<Decision, { kind: 'code' }>,
  ): Tx<rows.BotCommandRow> {
    yield* rows.redactLater(event.event_id, clock.now())
    const verdict = yield* deps.secondFactor.verify(event.sender, code, 'bot')
    const waiting = yield* rows.waitingCommandOf(event.sender)
    if (verdict.verdict !== 'right') {
      const isOver = verdict.verdict === 'locked' || ('left' in verdict && verdict.left === 0)
      if (isOver) yield* giveUp(event.sender)
      return row(event, { outcome: said({ words: verdictWords(verdict) }) })
    }
    const isMeant =
      waiting !== undefined &&
      waiting.until_ts > clock.now() &&
      (answered === undefined || answered === waiting.prompt_id || answered === waiting.event_id)
    if (!isMeant) return row(event, { outcome: said({ words: NOTHING_WAITS }) })
    yield* rows.moveBotCommand(waiting.event_id, 'waiting', 'running', null)
    return row(event, { state: 'told' })
  }

  /** The row of a message, with what it changes of others. */
  function* effect(event: rows.RoomMessageRow, decision: Decision): Tx<rows.BotCommandRow> {
    switch (decision.kind) {
      case 'answer': {
        const state = decision.isRefusal === true ? 'refused' : 'done'
        return row(event, { state, outcome: said(decision.answer) })
      }
      case 'cancel': {
        const gave = yield* giveUp(event.sender)
        return gave ? row(event, { state: 'told' }) : row(event, { outcome: said({ words: NOTHING_WAITS }) })
      }
      case 'code':
        return yield* takeCode(event, decision)
      case 'command': {
        // One waits at a time, so that a code can mean nothing else.
        if (decision.waits) yield* giveUp(event.sender)
        return row(event, {
          command: decision.command,
          arguments: JSON.stringify(Object.fromEntries(decision.arguments)),
          will: decision.will,
          state: decision.waits ? 'waiting' : 'running',
          until_ts: clock.now() + deps.confirmWithinMs,
        })
      }
    }
  }

  async function take(event: rows.RoomMessageRow, line: ChatLine, content: JsonObject): Promise<void> {
    const decision = await decide(event, line, content)
    await store.write('adminBot.take', function* () {
      yield* rows.setBotPosition(bot, event.pos)
      if ((yield* rows.botCommand(event.event_id)) !== undefined) return
      yield* rows.insertBotCommand(yield* effect(event, decision))
      if (decision.kind !== 'answer' || decision.isRefusal !== true) return
      // Of a code that was sent by who may not, nothing shall stay either.
      if (line.kind === 'code') yield* rows.redactLater(event.event_id, clock.now())
      yield* audit.record({
        act: 'admin.called',
        by: userActor(event.sender),
        outcome: 'M_FORBIDDEN',
        requestId: event.event_id,
        details: { operation: decision.operation, way: 'bot' },
      })
    })
  }

  return {
    async read(room) {
      const to = await store.position()
      const page = await store.read('adminBot.read', function* () {
        const from = (yield* rows.botRoom(bot))?.pos ?? to
        return yield* rows.eventsSince(room.nid, from, to, PAGE)
      })
      let passed: number | undefined
      for (const event of page) {
        passed = event.pos
        if (event.sender === bot || event.type !== 'm.room.message') continue
        const content = contentOf(event.json)
        const text = commandText(content)
        const line = text === undefined ? undefined : parseChatLine(text)
        if (line === undefined || line.kind === 'talk') continue
        await take(event, line, content)
        passed = undefined
      }
      const last = passed
      if (last !== undefined) await store.write('adminBot.pass', () => rows.setBotPosition(bot, last))
      return page.length === PAGE
    },
  }
}
