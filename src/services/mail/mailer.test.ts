import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { untilPasses } from '../../platform/testing-until.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { smtpTransport, type SmtpOptions } from '../../platform/smtp.js'
import { openTestStore } from '../../storage/testing.js'
import { one, type Store } from '../../storage/tx.js'
import { createMailer, type Mail, type Mailer } from './mailer.js'
import { startMailServer, type TestMailServer } from './testing-smtp.js'

let store: Store
let clock: ManualClock
let server: TestMailServer | undefined
let mailer: Mailer | undefined

beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock()
})
afterEach(async () => {
  await mailer?.close()
  await server?.close()
  await store.close()
  server = mailer = undefined
})

const mailerFor = (smtp: Partial<SmtpOptions>, maxQueued?: number): Mailer =>
  (mailer = createMailer({
    store,
    clock,
    random: systemRandom,
    logger: silentLogger,
    serverName: 'finances.example:8448',
    transport: smtpTransport({
      host: 'localhost',
      port: server?.port ?? 1,
      tls: 'starttls',
      ca: server === undefined ? [] : [server.ca],
      timeouts: { connectMs: 2_000, idleMs: 2_000 },
      ...smtp,
    }),
    options: {
      from: 'Finances <matrix@finances.example>',
      ...(maxQueued === undefined ? {} : { maxQueued }),
    },
  }))

const MAIL: Mail = {
  to: 'anne@home.example',
  subject: 'Bonjour à tous',
  text: 'Une ligne.\n\nhttps://matrix.finances.example/x?y=z\n',
  expiresTs: 1_700_000_000_000 + 3_600_000,
}

async function send(mail: Partial<Mail> = {}): Promise<void> {
  await store.write('test', () => mailer!.queue({ ...MAIL, ...mail }))
  mailer!.wake()
}

const queued = async (): Promise<{ n: number; attempts: number | null }> =>
  (await store.read('test', () =>
    one<{ n: number; attempts: number | null }>(
      'SELECT COUNT(*) AS n, MAX(attempts) AS attempts FROM mail_queue',
    ),
  ))!

/** Until the queue looks like that. */
const untilQueued = (wanted: { n: number; attempts: number | null }): Promise<unknown> =>
  untilPasses(async () => expect(await queued()).toEqual(wanted))

describe('mail', () => {
  it('is given to the mail server, over TLS, and leaves the queue', async () => {
    server = await startMailServer({ login: { user: 'chancery', password: 'secret' } })
    mailerFor({ user: 'chancery', password: 'secret' })
    await send()
    const mail = await server.mail(0)
    expect(mail).toMatchObject({
      to: ['anne@home.example'],
      from: 'matrix@finances.example',
      secure: true,
      user: 'chancery',
      link: 'https://matrix.finances.example/x?y=z',
    })
    expect(mail.raw).toMatch(/^From: Finances <matrix@finances\.example>\r$/m)
    expect(mail.raw).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(mail.raw).toMatch(/^Message-ID: <\w{24}@finances\.example-8448>\r$/m)
    await untilQueued({ n: 0, attempts: null })
  })

  it('goes over TLS from the first byte where that is configured', async () => {
    server = await startMailServer({ tls: 'implicit' })
    mailerFor({ tls: 'implicit' })
    await send()
    expect((await server.mail(0)).secure).toBe(true)
  })

  it('is not given to a server whose certificate is for another name', async () => {
    server = await startMailServer({ hosts: ['mail.evil.example'] })
    mailerFor({})
    await send()
    await untilQueued({ n: 1, attempts: 1 })
    expect(server.mails).toEqual([])
  })

  it('is not given to a server whose certificate nobody trusted has signed', async () => {
    server = await startMailServer()
    mailerFor({ ca: [] })
    await send()
    await untilQueued({ n: 1, attempts: 1 })
    expect(server.mails).toEqual([])
  })

  it('is not sent in the clear because the server offers nothing better', async () => {
    server = await startMailServer({ tls: 'off' })
    mailerFor({})
    await send()
    await untilQueued({ n: 1, attempts: 1 })
    expect(server.mails).toEqual([])
  })

  it('is tried again, ever more rarely, while no server can be reached', async () => {
    mailerFor({})
    await send()
    await untilQueued({ n: 1, attempts: 1 })
    mailer!.wake()
    clock.advance(16_000)
    mailer!.wake()
    await untilQueued({ n: 1, attempts: 2 })
    const due = await store.read('test', () => one<{ due_ts: number }>('SELECT due_ts FROM mail_queue'))
    expect(due!.due_ts - clock.now()).toBeGreaterThan(20_000)
  })

  it('that was queued before a restart is sent after it', async () => {
    mailerFor({})
    await send()
    await untilQueued({ n: 1, attempts: 1 })
    await mailer!.close()
    server = await startMailServer()
    mailerFor({})
    clock.advance(16_000)
    mailer!.wake()
    expect((await server.mail(0)).to).toEqual(['anne@home.example'])
    await untilQueued({ n: 0, attempts: null })
  })

  it('that the server cannot take now is tried again with the same Message-ID', async () => {
    server = await startMailServer()
    server.refusals.push({ code: 451, at: 'DATA' })
    mailerFor({})
    await send()
    await untilQueued({ n: 1, attempts: 1 })
    clock.advance(16_000)
    mailer!.wake()
    await server.mail(0)
    await untilQueued({ n: 0, attempts: null })
  })

  it('that the server refuses for good is given up, and the others go on', async () => {
    server = await startMailServer()
    server.refusals.push({ code: 550, at: 'RCPT' })
    mailerFor({})
    await send()
    await untilQueued({ n: 0, attempts: null })
    await send({ to: 'bob@home.example' })
    expect((await server.mail(0)).to).toEqual(['bob@home.example'])
  })

  it('is tried again when the server refuses the log-in, which the operator can mend', async () => {
    server = await startMailServer({ login: { user: 'chancery', password: 'secret' } })
    mailerFor({ user: 'chancery', password: 'wrong' })
    await send()
    await untilQueued({ n: 1, attempts: 1 })
  })

  it('that is too late is given up', async () => {
    server = await startMailServer()
    mailerFor({})
    await send({ expiresTs: clock.now() })
    await untilQueued({ n: 0, attempts: null })
    expect(server.mails).toEqual([])
  })

  it('is bounded: a full queue refuses more', async () => {
    mailerFor({}, 2)
    await send()
    await send()
    await expect(send()).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' })
  })

  it('of many is all sent, each once', async () => {
    server = await startMailServer()
    mailerFor({})
    await store.write('test', function* () {
      for (let i = 0; i < 50; i++) yield* mailer!.queue({ ...MAIL, to: `user${i}@home.example` })
    })
    mailer!.wake()
    mailer!.wake()
    await untilQueued({ n: 0, attempts: null })
    const all = server.mails.flatMap((mail) => mail.to)
    expect(all).toHaveLength(50)
    expect(new Set(all).size).toBe(50)
  })
})
