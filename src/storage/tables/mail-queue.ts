import { all, one, run, type Tx } from '../tx.js'

/** A message that is to be sent; deleted once a mail server has it. */
export interface MailRow {
  readonly mail_id: number
  /** Random part of the Message-ID: a repeated delivery is recognised by it. */
  readonly message_id: string
  readonly address: string
  readonly subject: string
  readonly body: string
  readonly attempts: number
  readonly due_ts: number
  /** Not worth sending afterwards. */
  readonly expires_ts: number
  /** Where the recipient ends such mail; null for what nobody can end. */
  readonly unsubscribe_url: string | null
}

const COLUMNS = 'mail_id, message_id, address, subject, body, attempts, due_ts, expires_ts, unsubscribe_url'

export function* insertMail(row: Omit<MailRow, 'mail_id' | 'attempts'>): Tx<void> {
  yield* run(
    `INSERT INTO mail_queue (message_id, address, subject, body, attempts, due_ts, expires_ts, unsubscribe_url)
     VALUES (?, ?, ?, ?, 0, ?, ?, ?)`,
    row.message_id,
    row.address,
    row.subject,
    row.body,
    row.due_ts,
    row.expires_ts,
    row.unsubscribe_url,
  )
}

export function* countMails(): Tx<number> {
  return (yield* one<{ n: number }>('SELECT COUNT(*) AS n FROM mail_queue'))!.n
}

export function* dueMails(now: number, limit: number): Tx<readonly MailRow[]> {
  return yield* all<MailRow>(
    `SELECT ${COLUMNS} FROM mail_queue WHERE due_ts <= ? ORDER BY due_ts, mail_id LIMIT ?`,
    now,
    limit,
  )
}

/** When the next message is due; undefined when there is none. */
export function* nextMailDue(): Tx<number | undefined> {
  return (yield* one<{ due_ts: number }>('SELECT due_ts FROM mail_queue ORDER BY due_ts LIMIT 1'))?.due_ts
}

export function* postponeMail(mailId: number, attempts: number, due: number): Tx<void> {
  yield* run('UPDATE mail_queue SET attempts = ?, due_ts = ? WHERE mail_id = ?', attempts, due, mailId)
}

export function* deleteMails(mailIds: readonly number[]): Tx<void> {
  if (mailIds.length > 0) yield* run('DELETE FROM mail_queue WHERE mail_id IN (??)', mailIds)
}
