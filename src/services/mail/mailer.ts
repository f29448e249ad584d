import { MatrixError } from '../../core/errors.js'
import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import { MailError, type MailTransport } from '../../platform/smtp.js'
import * as rows from '../../storage/tables/mail-queue.js'
import type { Store, Tx } from '../../storage/tx.js'

export interface Mail {
  /** Canonical. */
  readonly to: string
  readonly subject: string
  /** Plain text. */
  readonly text: string
  /** Not worth sending afterwards. */
  readonly expiresTs: number
  /** Where the recipient ends mail of this kind, with one click. */
  readonly unsubscribeUrl?: string | undefined
}

/**
 * Outgoing mail. A message is on disk before anybody is told that it was sent, and is tried again until a mail server has taken it,
 * refuses it for good, or its time is over. One that was taken just before a crash may be sent twice, with the same Message-ID.
 */
export interface Mailer {
  /** Puts a message into the queue, in the transaction that gives reason to it. Throws M_LIMIT_EXCEEDED when the queue is full. */
  queue(mail: Mail): Tx<void>
  /** After that transaction is on disk: sends what is due. At the start of the node, too. */
  wake(): void
  /** Resolves when nothing is being sent; what is left in the queue is sent after the next start. */
  close(): Promise<void>
}

export interface MailerOptions {
  /** The sender, as in `Ministry <matrix@ministry.example>`. */
  readonly from: string
  /** Default 10,000. */
  readonly maxQueued?: number
}

const BATCH = 20
const AT_ONCE = 4
const RETRY = { initialMs: 15_000, maxMs: 15 * 60_000 }
/** A clock that steps must not put a message off for ever; nor may Node's timers be given more than 2^31 ms. */
const MAX_WAIT_MS = 60_000

/** Pre: `transport` is this mailer's alone, and is closed with it. */
export function createMailer(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly transport: MailTransport
  readonly options: MailerOptions
}): Mailer {
  const { store, clock, random, logger, serverName, transport } = deps
  const { from, maxQueued = 10_000 } = deps.options
  // A server name may have a port or be an address; the part after the @ has no meaning beyond being ours.
  const idDomain = serverName.replaceAll(/[^A-Za-z0-9.-]/g, '-')
  let closed = false
  let again = false
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  async function sendOne(row: rows.MailRow): Promise<void> {
    if (row.expires_ts <= clock.now()) {
      logger.warn({ attempts: row.attempts }, 'a message was not sent in time and is given up')
      await store.write('mail.giveUp', () => rows.deleteMails([row.mail_id]))
      return
    }
    try {
      await transport.send({
        from,
        to: row.address,
        subject: row.subject,
        text: row.body,
        messageId: `${row.message_id}@${idDomain}`,
        ...(row.unsubscribe_url === null ? {} : { unsubscribeUrl: row.unsubscribe_url }),
      })
    } catch (error) {
      if (!(error instanceof MailError)) throw error
      await failed(row, error)
      return
    }
    await store.write('mail.sent', () => rows.deleteMails([row.mail_id]))
  }

  async function failed(row: rows.MailRow, error: MailError): Promise<void> {
    if (error.permanent) {
      logger.warn({ reason: error.message }, 'a message was refused for good')
      await store.write('mail.refused', () => rows.deleteMails([row.mail_id]))
      return
    }
    const attempts = row.attempts + 1
    logger.warn({ reason: error.message, attempts }, 'a message was not sent; it is tried again')
    const due = clock.now() + backoffDelay(RETRY, attempts, random)
    await store.write('mail.postpone', () => rows.postponeMail(row.mail_id, attempts, due))
  }

  async function sendDue(): Promise<void> {
    for (;;) {
      again = false
      const due = await store.read('mail.due', () => rows.dueMails(clock.now(), BATCH))
      for (let at = 0; at < due.length && !closed; at += AT_ONCE)
        await Promise.all(due.slice(at, at + AT_ONCE).map(sendOne))
      if (closed || (due.length === 0 && !again)) return
    }
  }

  async function schedule(): Promise<void> {
    const due = await store.read('mail.next', () => rows.nextMailDue())
    if (due === undefined || closed) return
    clearTimeout(timer)
    timer = setTimeout(wake, Math.min(Math.max(due - clock.now(), 0), MAX_WAIT_MS))
    timer.unref()
  }

  function wake(): void {
    again = true
    if (closed || running !== undefined) return
    clearTimeout(timer)
    running = sendDue()
      .then(schedule)
      .catch((error: unknown) => {
        if (closed) return
        logger.error({ err: error }, 'sending of mail stopped')
        // The store may be well again by then.
        timer = setTimeout(wake, MAX_WAIT_MS)
        timer.unref()
      })
      .finally(() => {
        running = undefined
        // Woken between the last look into the queue and now.
        if (again && !closed) wake()
      })
  }

  return {
    *queue({ to, subject, text, expiresTs, unsubscribeUrl }) {
      if ((yield* rows.countMails()) >= maxQueued)
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too much mail is waiting to be sent; try again later', {
          retry_after_ms: MAX_WAIT_MS,
        })
      yield* rows.insertMail({
        message_id: random.string(24),
        address: to,
        subject,
        body: text,
        due_ts: clock.now(),
        expires_ts: expiresTs,
        unsubscribe_url: unsubscribeUrl ?? null,
      })
    },
    wake,
    async close() {
      closed = true
      clearTimeout(timer)
      await running
      transport.close()
    },
  }
}
