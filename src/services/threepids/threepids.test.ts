import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../../platform/testing-until.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import type { MailTransport, OutgoingMail } from '../../platform/smtp.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { createMailer, type Mailer } from '../mail/mailer.js'
import { createThreepids, type EmailRequest, type Purpose, type Threepids } from './threepids.js'

const ALICE = '@alice:finances.example'
const BOB = '@bob:finances.example'
const SECRET = 'monkeys_are.GREAT'

let store: Store
let clock: ManualClock
let mailer: Mailer
let threepids: Threepids
let sent: OutgoingMail[]

/** The mail server is tested with the mailer; here what is sent is looked at. */
function open(hideAddresses: boolean): void {
  sent = []
  const transport: MailTransport = {
    send: (mail) => Promise.resolve(void sent.push(mail)),
    close: () => undefined,
  }
  const base = { store, clock, random: systemRandom, logger: silentLogger, serverName: 'finances.example' }
  mailer = createMailer({ ...base, transport, options: { from: 'matrix@finances.example' } })
  threepids = createThreepids({
    ...base,
    mail: {
      mailer,
      options: {
        publicBaseurl: 'https://matrix.finances.example',
        hideAddresses,
        nextLinks: ['https://app.example/'],
      },
    },
  })
}

beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock()
  open(true)
})
afterEach(async () => {
  await mailer.close()
  await store.close()
})

const request = (purpose: Purpose, wish: Partial<EmailRequest> = {}): Promise<{ sid: string }> =>
  threepids.requestEmail(purpose, {
    email: 'anne@home.example',
    clientSecret: SECRET,
    sendAttempt: 1,
    nextLink: undefined,
    ...wish,
  })

async function mailNumber(index: number): Promise<OutgoingMail> {
  await until(() => sent.length > index)
  return sent[index]!
}

const linkIn = (mail: OutgoingMail): { sid: string; token: string } => {
  const url = new URL(/https:\S+/.exec(mail.text)![0])
  expect(url.origin + url.pathname).toBe('https://matrix.finances.example/_chancery/email/confirm')
  return { sid: url.searchParams.get('sid')!, token: url.searchParams.get('token')! }
}

/** Asks for a mail and opens its link. */
async function prove(purpose: Purpose, wish: Partial<EmailRequest> = {}): Promise<string> {
  const before = sent.length
  const { sid } = await request(purpose, wish)
  const link = linkIn(await mailNumber(before))
  expect(link.sid).toBe(sid)
  expect(await threepids.confirm(sid, link.token)).toBeDefined()
  return sid
}

const addTo = async (userId: string, email: string): Promise<void> =>
  threepids.add(userId, { sid: await prove('add', { email }), clientSecret: SECRET })

const addresses = async (userId: string): Promise<string[]> =>
  (await threepids.list(userId)).map((row) => row.address)

describe('the proof of an address', () => {
  it('is a link that only the mailbox has, and serves to add the address', async () => {
    const { sid } = await request('add')
    const credentials = { sid, clientSecret: SECRET }
    await expect(threepids.add(ALICE, credentials)).rejects.toMatchObject({
      errcode: 'M_THREEPID_AUTH_FAILED',
    })
    const { token } = linkIn(await mailNumber(0))
    expect(await threepids.opened(sid, token)).toEqual({
      address: 'anne@home.example',
      purpose: 'add',
      nextLink: undefined,
    })
    await expect(threepids.add(ALICE, credentials)).rejects.toMatchObject({
      errcode: 'M_THREEPID_AUTH_FAILED',
    })
    clock.advance(1_000)
    expect(await threepids.confirm(sid, token)).toBeDefined()
    clock.advance(1_000)
    await threepids.add(ALICE, credentials)
    expect(await threepids.list(ALICE)).toEqual([
      {
        medium: 'email',
        address: 'anne@home.example',
        user_id: ALICE,
        validated_ts: clock.now() - 1_000,
        added_ts: clock.now(),
      },
    ])
    expect(await threepids.ownerOf('Anne@HOME.example')).toBe(ALICE)
  })

  it('says nothing of the client secret in the mail', async () => {
    await request('add')
    expect((await mailNumber(0)).text).not.toContain(SECRET)
  })

  it('needs the right token, secret and session', async () => {
    const { sid } = await request('add')
    const { token } = linkIn(await mailNumber(0))
    expect(await threepids.confirm(sid, `${token}x`)).toBeUndefined()
    expect(await threepids.confirm('x'.repeat(24), token)).toBeUndefined()
    expect(await threepids.opened(sid, '')).toBeUndefined()
    await threepids.confirm(sid, token)
    for (const wrong of [
      { sid, clientSecret: 'other' },
      { sid: 'nobody', clientSecret: SECRET },
    ])
      await expect(threepids.add(ALICE, wrong)).rejects.toMatchObject({ errcode: 'M_THREEPID_AUTH_FAILED' })
    expect(await addresses(ALICE)).toEqual([])
  })

  it('has a link that works once, whoever is quicker', async () => {
    const { sid } = await request('add')
    const { token } = linkIn(await mailNumber(0))
    const pressed = await Promise.all([threepids.confirm(sid, token), threepids.confirm(sid, token)])
    expect(pressed.filter((link) => link !== undefined)).toHaveLength(1)
    expect(await threepids.opened(sid, token)).toBeUndefined()
    expect(await threepids.confirm(sid, token)).toBeUndefined()
  })

  it('serves what it was asked for, and once', async () => {
    const sid = await prove('register')
    await expect(threepids.add(ALICE, { sid, clientSecret: SECRET })).rejects.toMatchObject({
      errcode: 'M_THREEPID_AUTH_FAILED',
    })
    const other = await prove('add')
    await threepids.add(ALICE, { sid: other, clientSecret: SECRET })
    await threepids.remove(ALICE, 'email', 'ANNE@home.example')
    expect(await addresses(ALICE)).toEqual([])
    await expect(threepids.add(ALICE, { sid: other, clientSecret: SECRET })).rejects.toMatchObject({
      errcode: 'M_THREEPID_AUTH_FAILED',
    })
  })

  it('is over after an hour, link and proof alike', async () => {
    const { sid } = await request('add')
    const { token } = linkIn(await mailNumber(0))
    clock.advance(3_599_000)
    expect(await threepids.confirm(sid, token)).toBeDefined()
    clock.advance(3_599_000)
    expect(await threepids.checkProved('add', { sid, clientSecret: SECRET })).toMatchObject({
      address: 'anne@home.example',
    })
    clock.advance(2_000)
    await expect(threepids.add(ALICE, { sid, clientSecret: SECRET })).rejects.toMatchObject({
      errcode: 'M_THREEPID_AUTH_FAILED',
    })
    expect(await threepids.confirm(sid, token)).toBeUndefined()
  })

  it('is mailed again only for a higher attempt, in the same session, with a token that replaces the first', async () => {
    const { sid } = await request('add', { sendAttempt: 5 })
    const first = linkIn(await mailNumber(0))
    expect(await request('add', { sendAttempt: 5 })).toEqual({ sid })
    expect(await request('add', { sendAttempt: 4, email: 'ANNE@home.example' })).toEqual({ sid })
    expect(await request('add', { sendAttempt: 6 })).toEqual({ sid })
    const second = linkIn(await mailNumber(1))
    expect(sent).toHaveLength(2)
    expect(await threepids.confirm(sid, first.token)).toBeUndefined()
    expect(await threepids.confirm(sid, second.token)).toBeDefined()
  })

  it('is another one for another secret, address or purpose', async () => {
    const sids = [
      await request('add'),
      await request('add', { clientSecret: 'other' }),
      await request('add', { email: 'bob@home.example' }),
      await request('register'),
    ]
    expect(new Set(sids.map(({ sid }) => sid)).size).toBe(4)
  })

  it('leads on only to where the operator allows it', async () => {
    const { sid } = await request('add', { nextLink: 'https://app.example/done?x=1' })
    const { token } = linkIn(await mailNumber(0))
    expect((await threepids.confirm(sid, token))?.nextLink).toBe('https://app.example/done?x=1')
    const evil = await request('register', { nextLink: 'https://evil.example/' })
    const link = linkIn(await mailNumber(1))
    expect((await threepids.confirm(evil.sid, link.token))?.nextLink).toBeUndefined()
  })

  it.each([
    'anne',
    'anne@home.example,bob@home.example',
    '"a@gov.example"@evil.example',
    'a\r\nBcc: b@c.example',
  ])('is refused for %j', async (email) => {
    await expect(request('add', { email })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    expect(sent).toEqual([])
  })

  it.each(['', 'a b', 'x'.repeat(256), 'ä'])('is refused for the secret %j', async (clientSecret) => {
    await expect(request('add', { clientSecret })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })

  it('sends at most six mails an hour to one address, whoever asks', async () => {
    for (let i = 0; i < 6; i++) await request('add', { clientSecret: `s${i}` })
    await expect(request('register', { clientSecret: 'more' })).rejects.toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
      extra: { retry_after_ms: 3_600_000 },
    })
    await request('add', { email: 'bob@home.example' })
    clock.advance(3_600_001)
    await request('register', { clientSecret: 'more' })
  })
})

describe('an address that cannot serve the purpose', () => {
  it('gives the asker the same answer, and its owner a mail that proves nothing', async () => {
    await addTo(ALICE, 'anne@home.example')
    for (const purpose of ['register', 'add'] as const) {
      const at = sent.length
      const { sid } = await request(purpose)
      expect(sid).toMatch(/^[A-Za-z0-9]{24}$/)
      const mail = await mailNumber(at)
      expect(mail.to).toBe('anne@home.example')
      expect(mail.text).toContain('already')
      expect(mail.text).not.toContain('https:')
    }
    const at = sent.length
    const { sid } = await request('reset', { email: 'nobody@home.example' })
    expect((await mailNumber(at)).text).toContain('No account')
    expect(await threepids.confirm(sid, '')).toBeUndefined()
  })

  it('is told of where the operator hides no addresses', async () => {
    open(false)
    await addTo(ALICE, 'anne@home.example')
    await expect(request('register')).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' })
    await expect(request('add', { clientSecret: 'other' })).rejects.toMatchObject({
      errcode: 'M_THREEPID_IN_USE',
    })
    await expect(request('reset', { email: 'nobody@home.example' })).rejects.toMatchObject({
      errcode: 'M_THREEPID_NOT_FOUND',
    })
    await prove('reset')
  })

  it('belongs to whoever added it first, even where two have proved it', async () => {
    const mine = await prove('add', { clientSecret: 'mine' })
    const yours = await prove('add', { clientSecret: 'yours' })
    await threepids.add(ALICE, { sid: mine, clientSecret: 'mine' })
    await expect(threepids.add(BOB, { sid: yours, clientSecret: 'yours' })).rejects.toMatchObject({
      errcode: 'M_THREEPID_IN_USE',
    })
    expect(await addresses(BOB)).toEqual([])
    await threepids.remove(BOB, 'email', 'anne@home.example')
    expect(await addresses(ALICE)).toEqual(['anne@home.example'])
  })

  it('is any address on a server that sends no mail', async () => {
    const none = createThreepids({ store, clock, random: systemRandom, serverName: 'finances.example' })
    expect(none.isOffered).toBe(false)
    const wish = { email: 'anne@home.example', clientSecret: SECRET, sendAttempt: 1, nextLink: undefined }
    for (const purpose of ['add', 'register', 'reset'] as const)
      await expect(none.requestEmail(purpose, wish)).rejects.toMatchObject({
        errcode: 'M_THREEPID_MEDIUM_NOT_SUPPORTED',
      })
  })

  it('is one more than twenty for one account', async () => {
    for (let i = 0; i < 20; i++) await addTo(ALICE, `anne${i}@home.example`)
    await expect(addTo(ALICE, 'anne20@home.example')).rejects.toMatchObject({ errcode: 'M_THREEPID_DENIED' })
  })
})
