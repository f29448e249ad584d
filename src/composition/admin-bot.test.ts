import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { manualClock } from '../platform/clock.js'
import { authenticator, type Authenticator } from '../platform/testing-authenticator.js'
import type { Requester } from '../services/requester.js'
import { botCommand } from '../storage/tables/admin-bot.js'
import { userById } from '../storage/tables/users.js'
import { testServices, TEST_SERVER, type TestServices } from './testing.js'

const BOT = `@administration:${TEST_SERVER}`
const CONFIG = {
  admin_bot: { localpart: 'administration', confirm_within: '5m', passwords_shown: '10m' },
  second_factor: { secret: 'a secret of more than thirty-two characters', attempts: 3 },
  server_notices: { localpart: 'notices' },
  audit: { enabled: true },
  passwords: { min_length: 8, memory_kib: 1024, iterations: 1 },
}

let node: TestServices
const clock = manualClock()
let root: Requester
let app: Authenticator
let roomId: string
let users = 0
let messages = 0

async function administrator(name: string): Promise<Requester> {
  const requester = await node.user(name)
  await node.services.accounts.moderation.setAdmin(requester.userId, true)
  return requester
}
const someone = (): Promise<Requester> => node.user(`user${++users}`)
const bot = () => node.services.adminBot!

interface Shown {
  readonly event_id: string
  readonly sender: string
  readonly type: string
  readonly content: {
    readonly body?: string
    readonly formatted_body?: string
    readonly 'm.relates_to'?: { readonly 'm.in_reply_to'?: { readonly event_id: string } }
  }
}
async function timeline(as = root): Promise<readonly Shown[]> {
  const { chunk } = (await node.services.history.messages(as, {
    roomId,
    dir: 'b',
    from: undefined,
    to: undefined,
    limit: 100,
    filter: {},
  })) as unknown as { chunk: readonly Shown[] }
  return chunk.toReversed()
}
async function answersTo(eventId: string, as = root): Promise<readonly string[]> {
  return (await timeline(as))
    .filter((event) => event.content['m.relates_to']?.['m.in_reply_to']?.event_id === eventId)
    .map((event) => event.content.body ?? '')
}
const send = async (body: string, as = root, more: object = {}): Promise<string> =>
  (
    await node.services.sending.message(as, {
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body, ...more },
      txnId: `t${++messages}`,
    })
  ).event_id
/** Says something, and gives what the bot has answered to it. */
async function say(body: string, as = root, more: object = {}): Promise<string> {
  const id = await send(body, as, more)
  await bot().step()
  return (await answersTo(id, as)).join('\n')
}
/** The next code: none is taken twice. */
function nextCode(): string {
  clock.advance(60_000)
  return app.code(clock.now())
}
const row = (userId: string) => node.store.read('test', () => userById(userId))
const contentOf = async (eventId: string) =>
  (await timeline()).find((event) => event.event_id === eventId)?.content
const acts = async () =>
  (await node.services.audit.entries((await node.services.audit.head()).id - 30, 100)).map(
    ({ entry }) => JSON.parse(entry) as Record<string, unknown>,
  )

beforeAll(async () => {
  node = await testServices(CONFIG, clock)
  root = await administrator('root')
  const { secret } = (await node.services.secondFactor.manage({
    do: 'enrol',
    user: root.userId,
    replace: false,
  })) as { secret: string }
  app = authenticator(secret)
  await bot().step()
  const invites = Object.keys((await node.sync(root)).rooms.invite)
  expect(invites).toHaveLength(1)
  roomId = invites[0]!
  await node.services.memberships.join(root, { room: roomId, via: [] })
})
afterAll(() => node.close())
beforeEach(() => clock.advance(120_000))

describe('the room of the administration bot', () => {
  it('is for administrators alone, who cannot change it', async () => {
    const alice = await someone()
    await expect(
      node.services.memberships.invite(root, { roomId, userId: alice.userId }),
    ).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(
      node.services.sending.state(root, {
        roomId,
        type: 'm.room.encryption',
        stateKey: '',
        content: { algorithm: 'm.megolm.v1.aes-sha2' },
      }),
    ).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(node.services.memberships.join(alice, { room: roomId, via: [] })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })

  it('has whoever becomes an administrator called in, and whoever is none any more removed', async () => {
    const second = await administrator('second')
    await bot().step()
    await node.services.memberships.join(second, { room: roomId, via: [] })
    expect(await say('!ping', second)).toContain(TEST_SERVER)
    await node.services.accounts.moderation.setAdmin(second.userId, false)
    await bot().step()
    await expect(send('!ping', second)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    expect(await node.services.memberships.joinedRooms(second.userId)).not.toContain(roomId)
  })

  it('calls nobody again who left by themselves, until a start', async () => {
    const third = await administrator('third')
    await bot().step()
    await node.services.memberships.leave(third, { roomId })
    await bot().step()
    expect(Object.keys((await node.sync(third)).rooms.invite ?? {})).toEqual([])
    const again = await node.restarted()
    await again.services.adminBot!.step()
    expect(Object.keys((await node.sync(third)).rooms.invite)).toEqual([roomId])
    await node.services.accounts.moderation.setAdmin(third.userId, false)
  })

  it('is the only one that the bot is in: it is invited to none, and nobody has a session of it', async () => {
    const { room_id: other } = await node.services.roomCreation.create(root, { preset: 'private_chat' })
    await expect(
      node.services.memberships.invite(root, { roomId: other, userId: BOT }),
    ).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(
      node.services.administration.users.logInAs(root.userId, BOT, undefined),
    ).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    expect(await say(`!reset_password ${BOT}`)).toMatch(/account of the server itself/)
    expect(await node.services.memberships.joinedRooms(BOT)).toEqual([roomId])
  })
})

describe('a command', () => {
  it('is answered in words and a block of code', async () => {
    const alice = await someone()
    const answer = await say(`!user ${alice.userId}`)
    expect(answer).toMatch(new RegExp(`^${alice.userId} is in use\\.\n\n\`\`\`\nuser_id: `))
    const id = await send('!help lock')
    await bot().step()
    expect(await answersTo(id)).toEqual(['!lock USER: nobody can use the account until it is unlocked.'])
    expect(await say('!nothing')).toMatch(/no such command/)
    expect(await say('!lock')).toMatch(/USER is missing/)
    expect(await say('!lock nobody')).toMatch(/There is no account @nobody:ours\.example \(M_NOT_FOUND\)/)
  })

  it('that is not dangerous is carried out at once, and once', async () => {
    const alice = await someone()
    expect(await say(`!lock ${alice.userId}`)).toMatch(/is locked now/)
    expect((await row(alice.userId))!.locked).toBe(1)
    expect(await say(`!lock ${alice.userId}`)).toMatch(/is locked already/)
  })

  it('is not what people say to each other, edit, or cite', async () => {
    const before = await node.services.audit.head()
    expect(await say('hello')).toBe('')
    expect(await say('please !lock somebody')).toBe('')
    const edit = { 'm.relates_to': { rel_type: 'm.replace', event_id: await send('hi') } }
    expect(
      await say('* !ping', root, { ...edit, 'm.new_content': { msgtype: 'm.text', body: '!ping' } }),
    ).toBe('')
    expect(await say('!ping', root, { msgtype: 'm.notice' })).toBe('')
    expect(await node.services.audit.head()).toEqual(before)
  })

  it('that came while the bot was away for long is not carried out', async () => {
    const alice = await someone()
    const id = await send(`!lock ${alice.userId}`)
    clock.advance(11 * 60_000)
    await bot().step()
    expect(await answersTo(id)).toEqual([expect.stringMatching(/long ago/)])
    expect((await row(alice.userId))!.locked).toBe(0)
  })

  it('of who may not is refused once, in the audit log, and they are removed', async () => {
    const fourth = await administrator('fourth')
    await bot().step()
    await node.services.memberships.join(fourth, { room: roomId, via: [] })
    await node.services.accounts.moderation.setAdmin(fourth.userId, false)
    const alice = await someone()
    const id = await send(`!lock ${alice.userId}`, fourth)
    await bot().step()
    await bot().step()
    expect(await answersTo(id)).toEqual(['You may not command this bot.'])
    expect((await row(alice.userId))!.locked).toBe(0)
    await expect(send('!ping', fourth)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
  })
})

describe('a dangerous command', () => {
  it('says what will happen, waits for a code, and takes it back', async () => {
    const alice = await someone()
    const prompt = await say(`!deactivate ${alice.userId}`)
    expect(prompt).toMatch(/is closed: its sessions end, it leaves all rooms/)
    expect(prompt).toMatch(/six digits of your authenticator within 5 minutes/)
    expect((await row(alice.userId))!.deactivated).toBe(0)
    const code = await send(nextCode())
    await bot().step()
    expect((await row(alice.userId))!.deactivated).toBe(1)
    expect(await contentOf(code)).toEqual({})
  })

  it('is not confirmed by a wrong code, nor by one that was used', async () => {
    const [alice, bob] = [await someone(), await someone()]
    await say(`!log_out ${alice.userId}`)
    const code = nextCode()
    expect(await say(app.wrong(clock.now()))).toMatch(/wrong\. 2 more may be/)
    const done = await send(code)
    await bot().step()
    expect(await answersTo(done)).toEqual([])
    await say(`!deactivate ${bob.userId}`)
    expect(await say(code)).toMatch(/used before/)
    expect((await row(bob.userId))!.deactivated).toBe(0)
    await say(nextCode())
    expect((await row(bob.userId))!.deactivated).toBe(1)
  })

  it('is over when its time is', async () => {
    const alice = await someone()
    const id = await send(`!deactivate ${alice.userId}`)
    await bot().step()
    clock.advance(5 * 60_000)
    const code = nextCode()
    expect(await say(code)).toMatch(/No command of yours waits/)
    expect((await row(alice.userId))!.deactivated).toBe(0)
    expect((await answersTo(id)).at(-1)).toMatch(/no code came in time/)
    // What nothing waited for is used up all the same.
    await say(`!deactivate ${alice.userId}`)
    expect(await say(code)).toMatch(/used before/)
  })

  it('is given up by !cancel, by another, or by a code for another prompt', async () => {
    const [alice, bob] = [await someone(), await someone()]
    const first = await send(`!deactivate ${alice.userId}`)
    await bot().step()
    await say('!cancel')
    expect((await answersTo(first)).at(-1)).toMatch(/Given up: nothing was done/)
    const second = await send(`!deactivate ${alice.userId}`)
    await bot().step()
    await say(`!deactivate ${bob.userId}`)
    expect((await answersTo(second)).at(-1)).toMatch(/Given up/)
    const answering = { 'm.relates_to': { 'm.in_reply_to': { event_id: second } } }
    expect(await say(nextCode(), root, answering)).toMatch(/No command of yours waits/)
    expect((await row(bob.userId))!.deactivated).toBe(0)
    await say(nextCode())
    expect([(await row(alice.userId))!.deactivated, (await row(bob.userId))!.deactivated]).toEqual([0, 1])
  })

  it('is not confirmed by somebody else’s code', async () => {
    const fifth = await administrator('fifth')
    await node.services.secondFactor.manage({ do: 'enrol', user: fifth.userId, replace: false })
    await bot().step()
    await node.services.memberships.join(fifth, { room: roomId, via: [] })
    const alice = await someone()
    await say(`!deactivate ${alice.userId}`)
    expect(await say(nextCode(), fifth)).toMatch(/wrong/)
    expect((await row(alice.userId))!.deactivated).toBe(0)
    await say('!cancel')
    await node.services.accounts.moderation.setAdmin(fifth.userId, false)
    await bot().step()
  })

  it('shows a password for a while, and nowhere else', async () => {
    const alice = await someone()
    const id = await send(`!reset_password ${alice.userId}`)
    await bot().step()
    await say(nextCode())
    const shown = (await timeline()).find(
      (event) =>
        event.content['m.relates_to']?.['m.in_reply_to']?.event_id === id &&
        event.content.body?.includes('password: '),
    )!
    const password = /password: (\S+)/.exec(shown.content.body!)![1]!
    expect(password).toMatch(/^[\w]{5}(-[\w]{5}){3}$/)
    const stored = await node.store.read('test', () => botCommand(id))
    expect(stored).toMatchObject({ state: 'told' })
    expect(JSON.stringify(stored)).not.toContain(password)
    clock.advance(10 * 60_000)
    await bot().step()
    expect(await contentOf(shown.event_id)).toEqual({})
    expect((await answersTo(id)).join()).toMatch(/has another password/)
  })
})

describe('a restart', () => {
  // Where the node ends: the message is taken up; the act is done; its outcome is stored; the answer is sent.
  it.each(['adminBot.take', 'moderation.set', 'adminBot.done', 'adminBot.told'])(
    'after %s leaves one act and one answer',
    async (label) => {
      const alice = await someone()
      const first = await node.restarted()
      await first.services.adminBot!.step()
      const id = await send(`!lock ${alice.userId}`)
      const held = node.store.hold(label)
      const ended = first.services.adminBot!.step()
      await held.reached
      const second = await node.restarted()
      await second.services.adminBot!.step()
      const answers = await answersTo(id)
      expect(answers).toEqual([expect.stringMatching(/is locked (now|already)/)])
      // What the first one would have gone on with changes nothing either.
      held.release()
      await ended
      await bot().step()
      expect(await answersTo(id)).toEqual(answers)
      expect((await row(alice.userId))!.locked).toBe(1)
      const locked = (await acts()).filter(({ act, on }) => act === 'account.locked' && on === alice.userId)
      expect(locked).toEqual([
        expect.objectContaining({ by: { kind: 'admin', id: root.userId, way: 'bot' }, outcome: 'done' }),
      ])
    },
  )

  it('after a code was taken carries out what it confirms, once', async () => {
    const alice = await someone()
    const first = await node.restarted()
    await send(`!deactivate ${alice.userId}`)
    await first.services.adminBot!.step()
    const code = nextCode()
    await send(code)
    const held = node.store.hold('adminBot.take')
    const ended = first.services.adminBot!.step()
    await held.reached
    expect((await row(alice.userId))!.deactivated).toBe(0)
    const second = await node.restarted()
    await second.services.adminBot!.step()
    expect((await row(alice.userId))!.deactivated).toBe(1)
    held.release()
    await ended
    const closed = (await acts()).filter(
      ({ act, on }) => act === 'account.deactivated' && on === alice.userId,
    )
    expect(closed).toHaveLength(1)
    expect(await say(code)).toMatch(/used before/)
  })

  it('while a code is waited for changes nothing', async () => {
    const alice = await someone()
    const id = await send(`!deactivate ${alice.userId}`)
    const held = node.store.hold('adminBot.take')
    const ended = bot().step()
    await held.reached
    const second = await node.restarted()
    await second.services.adminBot!.step()
    held.release()
    await ended
    expect(await answersTo(id)).toHaveLength(1)
    await say(nextCode())
    expect((await row(alice.userId))!.deactivated).toBe(1)
    expect(await answersTo(id)).toHaveLength(2)
  })

  it('before a password was shown says that it is lost, and takes that back too', async () => {
    const alice = await someone()
    const first = await node.restarted()
    const id = await send(`!reset_password ${alice.userId}`)
    await first.services.adminBot!.step()
    await send(nextCode())
    const held = node.store.hold('adminBot.done')
    const ended = first.services.adminBot!.step()
    await held.reached
    const second = await node.restarted()
    await second.services.adminBot!.step()
    held.release()
    await ended
    const said = await answersTo(id)
    expect(said.join()).toMatch(/lost in a restart/)
    expect(said.join()).not.toMatch(/password: /)
  })
})
