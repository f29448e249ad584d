import { isCompliantUserId } from '../../core/ids/user-id.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { deletePushers, markPusherMailed, type PusherRow } from '../../storage/tables/pushers.js'
import { deleteQueuedPushes, queuedPushes, type QueuedPush } from '../../storage/tables/push-queue.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import { threepidOwner } from '../../storage/tables/threepids.js'
import type { Mailer } from '../mail/mailer.js'
import type { RoomsContext } from '../rooms/context.js'
import { isReadTo, readingOf, storedThreadOf, type Reading } from './reading.js'

export interface MailDigestOptions {
  /** Without a slash at its end. */
  readonly publicBaseurl: string
  /** How long something waits to be read before a mail tells of it, in milliseconds. */
  readonly delayMs: number
  /** The shortest pause between two mails; each mail makes it longer, up to `maxPauseMs`. */
  readonly minPauseMs?: number
  readonly maxPauseMs?: number
}

export interface MailDigestDeps {
  readonly context: RoomsContext
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly mailer: Pick<Mailer, 'queue' | 'wake'>
  readonly serverName: string
  readonly options: MailDigestOptions
}

const HOUR = 3_600_000
const MAX_ROWS = 300
const MAX_SENDERS = 5
const PAUSE_FACTOR = 12
/** The mail queue is full: the digest waits. */
const FULL_MS = 5 * 60_000
/** A mail about something unread is of no use a day later. */
const MAIL_LIFETIME = 24 * HOUR

/**
 * Mail about what somebody has not read: one for all that has come, when the oldest of it has waited long enough, and ever more rarely while
 * nothing is read. No text of a user stands in it, so that nobody can speak in this server's name.
 */
export function createMailDigest(deps: MailDigestDeps): (pusher: PusherRow) => Promise<number | undefined> {
  const { context, clock, logger, mailer, serverName, options } = deps
  const { store } = context
  const { delayMs, publicBaseurl, minPauseMs = 10 * 60_000, maxPauseMs = 24 * HOUR } = options

  async function isUnread(
    pusher: PusherRow,
    row: QueuedPush,
    readings: Map<number, Reading>,
  ): Promise<{ sender: string } | undefined> {
    const { user_id: userId } = pusher
    if (row.event_nid === null) {
      const invite = await store.read('mail.invite', () => membershipOf(row.room_nid, userId))
      return invite?.membership === 'invite' ? { sender: invite.sender } : undefined
    }
    const stored = (await context.events.byNids([row.event_nid])).get(row.event_nid)
    if (stored === undefined || stored.redactedBy !== undefined) return undefined
    const reading =
      readings.get(row.room_nid) ?? (await store.read('mail.reading', () => readingOf(userId, row.room_nid)))
    readings.set(row.room_nid, reading)
    const { event } = stored
    if (!reading.isJoined) {
      const member = await store.read('mail.invite', () => membershipOf(row.room_nid, userId))
      return member?.event_nid === stored.nid && member.membership === 'invite'
        ? { sender: event.sender }
        : undefined
    }
    const thread = await storedThreadOf(context.events, event)
    if (isReadTo(reading.receipts, thread, row.pos) || !reading.unreadThreads.has(thread)) return undefined
    return { sender: event.sender }
  }

  return async (pusher) => {
    const rows = await store.read('mail.queued', () => queuedPushes(pusher.pusher_id, MAX_ROWS))
    const oldest = rows[0]
    if (oldest === undefined) return undefined
    const now = clock.now()
    // After a quiet day the next mail is as the first.
    const pause = now - pusher.mailed_ts > maxPauseMs ? 0 : pusher.pause_ms
    const due = Math.min(
      Math.max(oldest.ts + delayMs, pusher.mailed_ts + pause),
      // A clock that stepped back puts nothing off for longer than the longest pause.
      now + maxPauseMs,
    )
    if (due > now) return due
    const unread: { readonly row: QueuedPush; readonly sender: string }[] = []
    const readings = new Map<number, Reading>()
    for (const row of rows) {
      const found = await isUnread(pusher, row, readings)
      if (found !== undefined) unread.push({ row, sender: found.sender })
    }
    const nextPause = Math.min(maxPauseMs, pause === 0 ? minPauseMs : pause * PAUSE_FACTOR)
    const outcome = await store
      .write('mail.digest', function* () {
        // The address may be somebody else's by now.
        if ((yield* threepidOwner('email', pusher.pushkey)) !== pusher.user_id) {
          yield* deletePushers([pusher.pusher_id])
          return 'gone'
        }
        yield* deleteQueuedPushes(
          pusher.pusher_id,
          rows.map((row) => row.pos),
        )
        if (unread.length === 0) return 'read'
        yield* mailer.queue({
          to: pusher.pushkey,
          ...digest(unread, pusher.unsubscribe ?? '', serverName, publicBaseurl),
          expiresTs: now + MAIL_LIFETIME,
        })
        yield* markPusherMailed(pusher.pusher_id, now, nextPause)
        return 'mailed'
      })
      .catch((error: unknown) => {
        logger.warn({ err: error, userId: pusher.user_id }, 'a mail about unread messages has to wait')
        return 'later'
      })
    if (outcome === 'mailed') mailer.wake()
    if (outcome === 'later') return now + FULL_MS
    if (outcome === 'gone') return undefined
    const next = await store.read('mail.queued', () => queuedPushes(pusher.pusher_id, 1))
    return next[0] === undefined ? undefined : clock.now()
  }
}

const count = (n: number, one: string, many: string): string => (n === 1 ? `one ${one}` : `${n} ${many}`)

function digest(
  unread: readonly { readonly row: QueuedPush; readonly sender: string }[],
  token: string,
  serverName: string,
  baseurl: string,
): { readonly subject: string; readonly text: string; readonly unsubscribeUrl: string } {
  const unsubscribeUrl = `${baseurl}/_chancery/email/unsubscribe?token=${token}`
  const rooms = new Set(unread.map(({ row }) => row.room_nid)).size
  const senders = [...new Set(unread.map(({ sender }) => sender))].filter(isCompliantUserId)
  const named = senders.slice(0, MAX_SENDERS)
  const more = senders.length - named.length
  const from =
    named.length === 0
      ? ''
      : `\n\nFrom: ${named.join(', ')}${more > 0 ? `, and ${count(more, 'other', 'others')}` : ''}`
  const what = `${count(unread.length, 'notification', 'notifications')} in ${count(rooms, 'room', 'rooms')}`
  return {
    subject: `You have ${what} on ${serverName}`,
    text:
      `You have ${what} on ${serverName} that you have not read.${from}\n\n` +
      'Open your client to read them.\n\n' +
      `You get this because you asked for mail about unread messages. To end it, open this link and press the button:\n\n` +
      `${unsubscribeUrl}\n`,
    unsubscribeUrl,
  }
}
