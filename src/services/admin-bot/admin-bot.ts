import { isCommandName } from '../../core/admin-commands/commands.js'
import { MatrixError } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import * as rows from '../../storage/tables/admin-bot.js'
import type { Commander } from '../admin-commands/act.js'
import type { AdminCommands } from '../admin-commands/admin-commands.js'
import { requesterOf } from '../requester.js'
import type { Sending } from '../rooms/send.js'
import { blockOf, messageOf, type Answer } from './answers.js'
import { createBotRooms, type BotRoom, type BotRoomDeps } from './bot-room.js'
import { createIntake, type IntakeDeps } from './intake.js'

/**
 * The administration bot: an account of this server that administrators command in a room of its own, in words. It is a part of the server: no program runs
 * beside it, and nobody logs in to its account.
 */
export interface AdminBot {
  /** Makes its room where there is none, goes on with what a restart cut short, and listens. */
  start(): void
  /** Takes up what was said, and does what there is to do; resolves when all of that is over. For tests, and for who does not want to wait. */
  step(): Promise<void>
  close(): Promise<void>
}

export interface AdminBotOptions {
  readonly userId: string
  readonly displayName: string
  readonly roomName: string
  readonly people: readonly string[]
  readonly confirmWithinMs: number
  /** How long a password that the node made up stands in the room. */
  readonly secretsShownMs: number
}

export interface AdminBotDeps
  extends
    Omit<BotRoomDeps, 'options' | 'logger'>,
    Omit<IntakeDeps, 'commanders' | 'commander' | 'bot' | 'confirmWithinMs' | 'commands'> {
  readonly logger: BotRoomDeps['logger'] & IntakeDeps['logger']
  readonly notifier: Notifier
  readonly sending: Pick<Sending, 'message' | 'redact'>
  readonly commands: AdminCommands
  readonly options: AdminBotOptions
}

/** Rights may be taken away, prompts run out and codes wait to be taken back, without that somebody says something. */
const ROUND_MS = 15_000
/** What was done may leave more to do. */
const AGAIN_MS = 20
const MAX_OPEN = 200
const MAX_RUNNING = 8
const MAX_PAGES = 100
/** What was begun longer ago, before a restart, is not begun again. */
const RESUMED_MS = 12 * 3_600_000
const KEPT_MS = 30 * 24 * 3_600_000
const PRUNE_MS = 3_600_000

const EXPIRED = 'Given up: no code came in time. Nothing was done.'
const INTERRUPTED =
  'This was interrupted by a restart of the node long ago: see how far it was, and give the command again.'
const LOST = 'What was to stand here was lost in a restart of the node: give the command again.'

export function createAdminBot(deps: AdminBotDeps): AdminBot {
  const { store, clock, logger, notifier, sending, commands, options } = deps
  const { userId: bot } = options
  const requester = requesterOf(bot)
  const rooms = createBotRooms(deps)
  const stopping = new AbortController()
  const { signal } = stopping
  const running = new Map<string, Promise<void>>()
  /** What only the commander sees, until it was sent; never on disk but in the room. */
  const secrets = new Map<string, Readonly<Record<string, string>>>()
  let prunedTs = 0
  let loop: Promise<void> | undefined

  const commander = (userId: string, eventId: string): Commander => ({
    userId,
    way: 'bot',
    requestId: eventId,
    signal,
  })
  const intake = createIntake({
    ...deps,
    ...{ bot, commander, confirmWithinMs: options.confirmWithinMs },
    commanders: () => rooms.commanders(),
  })

  /** The same message however often it is sent; undefined where the room does not take it. */
  async function say(room: BotRoom, txnId: string, content: JsonObject): Promise<string | undefined> {
    try {
      const sent = await sending.message(requester, {
        roomId: room.roomId,
        type: 'm.room.message',
        content,
        txnId,
      })
      return sent.event_id
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      logger.error({ err: error }, 'the administration bot cannot say something in its room')
      return undefined
    }
  }

  async function answer(room: BotRoom, row: rows.BotCommandRow): Promise<void> {
    const outcome = row.outcome === null ? undefined : (JSON.parse(row.outcome) as Answer)
    if (outcome !== undefined && outcome.words !== '')
      await say(room, `${row.event_id}:answer`, messageOf(outcome, row.event_id))
    let shown: string | undefined
    if (row.has_secret === 1) {
      const secret = secrets.get(row.event_id)
      const content: Answer =
        secret === undefined
          ? { words: LOST }
          : {
              words: `This is shown for ${Math.max(1, Math.round(options.secretsShownMs / 60_000))} min and nowhere else.`,
              block: blockOf(secret),
            }
      shown = await say(room, `${row.event_id}:secret`, messageOf(content, row.event_id))
    }
    const secretId = shown
    await store.write('adminBot.told', function* () {
      yield* rows.tellBotCommand(
        row.event_id,
        outcome === undefined ? null : JSON.stringify({ words: outcome.words }),
      )
      if (secretId !== undefined) yield* rows.redactLater(secretId, clock.now() + options.secretsShownMs)
    })
    secrets.delete(row.event_id)
  }

  async function carryOut(row: rows.BotCommandRow): Promise<void> {
    const { event_id: id, command, sender } = row
    let outcome: Answer
    let hasSecret = false
    try {
      if (!isCommandName(command)) throw new Error(`no command: ${command}`)
      const planned = new Map(Object.entries(JSON.parse(row.arguments) as Record<string, string>))
      const result = await commands.carryOut(commander(sender, id), { command, arguments: planned })
      outcome = { words: result.words, block: blockOf(result.details) }
      if (result.secrets !== undefined) {
        hasSecret = true
        secrets.set(id, result.secrets)
      }
    } catch (error) {
      // The next start goes on with it.
      if (signal.aborted) return
      if (error instanceof MatrixError) outcome = { words: `${error.message} (${error.errcode})` }
      else {
        logger.error({ err: error, command }, 'a command to the administration bot failed')
        outcome = { words: 'This failed: the log of the server says why.' }
      }
    }
    await store.write('adminBot.done', () =>
      rows.moveBotCommand(id, 'running', 'done', JSON.stringify(outcome), hasSecret),
    )
  }

  function begin(row: rows.BotCommandRow): boolean {
    if (running.size >= MAX_RUNNING) return false
    const work = carryOut(row)
      .catch((error: unknown) =>
        logger.error({ err: error }, 'a command to the administration bot is undone'),
      )
      .finally(() => {
        running.delete(row.event_id)
        notifier.notify([bot])
      })
    running.set(row.event_id, work)
    return true
  }

  const end = (row: rows.BotCommandRow, words: string): Promise<boolean> =>
    store.write('adminBot.end', () =>
      rows.moveBotCommand(row.event_id, row.state, 'done', JSON.stringify({ words })),
    )

  async function prompt(room: BotRoom, row: rows.BotCommandRow): Promise<void> {
    const minutes = Math.max(1, Math.round(options.confirmWithinMs / 60_000))
    const words =
      `${row.will}\nTo confirm it, send the six digits of your authenticator within ${minutes} minute${minutes === 1 ? '' : 's'}; ` +
      '!cancel gives it up.'
    const id = await say(room, `${row.event_id}:prompt`, messageOf({ words }, row.event_id, [row.sender]))
    // Who was not asked waits until it is over.
    await store.write('adminBot.prompted', () => rows.setBotPrompt(row.event_id, id ?? ''))
  }

  /** The next thing to do about a message; gives whether there was one. */
  async function tend(room: BotRoom, row: rows.BotCommandRow): Promise<boolean> {
    const now = clock.now()
    if (row.state === 'waiting') {
      if (row.until_ts <= now) await end(row, EXPIRED)
      else if (row.prompt_id === null) await prompt(room, row)
      else return false
    } else if (row.state === 'running') {
      if (row.ts < now - RESUMED_MS) await end(row, INTERRUPTED)
      else return begin(row)
    } else await answer(room, row)
    return true
  }

  async function takeBack(room: BotRoom): Promise<void> {
    for (const { event_id: eventId, due_ts: dueTs } of await store.read('adminBot.toRedact', () =>
      rows.botRedactions(MAX_OPEN),
    )) {
      if (dueTs > clock.now()) return
      try {
        await sending.redact(requester, {
          ...{ roomId: room.roomId, eventId, txnId: `${eventId}:redact` },
          reason: 'Codes and passwords do not stay.',
          extra: {},
        })
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error
        logger.warn({ err: error, eventId }, 'a code or password cannot be taken back')
      }
      await store.write('adminBot.redacted', () => rows.forgetRedaction(eventId))
    }
  }

  async function prune(): Promise<void> {
    const now = clock.now()
    if (now - prunedTs < PRUNE_MS) return
    prunedTs = now
    await store.write('adminBot.prune', () => rows.pruneBotCommands(now - KEPT_MS))
  }

  const openRows = () => store.read('adminBot.open', () => rows.openBotCommands(MAX_OPEN))

  /** Everything that can be done at once; what takes long runs on by itself. Gives whether something was done. */
  async function round(): Promise<boolean> {
    const room = await rooms.ready()
    for (let page = 0; page < MAX_PAGES && (await intake.read(room)); page++);
    const refused = (await openRows()).filter(({ state }) => state === 'refused')
    // They read that they may not, and nothing else.
    for (const row of refused) await answer(room, row)
    await rooms.attend(room)
    const open = (await openRows()).filter(({ event_id: id }) => !running.has(id))
    let more = false
    for (const row of open) if (await tend(room, row)) more = true
    await takeBack(room)
    await prune()
    return more
  }

  async function listen(): Promise<void> {
    const subscription = notifier.subscribe([bot])
    while (!signal.aborted) {
      let wait = ROUND_MS
      try {
        if (await round()) wait = AGAIN_MS
      } catch (error) {
        if (signal.aborted) break
        logger.error({ err: error }, 'the administration bot cannot go on; it tries again soon')
      }
      await subscription.wait(wait, signal)
    }
    subscription.close()
  }

  return {
    start() {
      loop ??= listen()
    },
    async step() {
      while ((await round()) || running.size > 0) await Promise.all(running.values())
    },
    async close() {
      stopping.abort()
      await loop
      await Promise.all(running.values())
    },
  }
}
