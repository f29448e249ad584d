import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { CommandName } from '../core/admin-commands/commands.js'
import { namedArguments } from '../core/admin-commands/parse-command.js'
import { manualClock } from '../platform/clock.js'
import type { Commander } from '../services/admin-commands/act.js'
import type { Requester } from '../services/requester.js'
import { insertAccountMove, NEVER } from '../storage/tables/account-moves.js'
import { testServices, TEST_SERVER, type TestServices } from './testing.js'

const clock = manualClock()
let node: TestServices
let root: Requester
let users = 0
beforeAll(async () => {
  node = await testServices(
    {
      audit: { enabled: true },
      server_notices: { localpart: 'notices' },
      account_validity: { enabled: true, period: '30d', remind_before: [] },
      passwords: { min_length: 30, require: ['digit', 'symbol'], memory_kib: 1024, iterations: 1 },
    },
    clock,
  )
  root = await node.user('root')
  await node.services.accounts.moderation.setAdmin(root.userId, true)
})
afterAll(() => node.close())

const someone = (): Promise<Requester> => node.user(`user${++users}`)
let calls = 0
const by = (way: Commander['way'] = 'http', requestId = `r${++calls}`): Commander => ({
  ...{ userId: root.userId, way, requestId },
  signal: new AbortController().signal,
})
function plan(command: CommandName, given: Record<string, string>, commander = by()) {
  const read = namedArguments(command, given)
  if ('fault' in read) throw new Error(read.fault)
  return node.services.adminCommands.plan(commander, command, read.arguments)
}
const carryOut = async (command: CommandName, given: Record<string, string>, commander = by()) =>
  node.services.adminCommands.carryOut(commander, await plan(command, given, commander))
const entries = async (after: number) =>
  (await node.services.audit.entries(after, 100)).map(({ entry }) => JSON.parse(entry) as object)

describe('a command of an administrator', () => {
  it('is in the audit log before, in and after the transaction of what it changes, with the way it came', async () => {
    const alice = await someone()
    const { id: before } = await node.services.audit.head()
    await carryOut('replace_displayname', { user: alice.userId, name: 'Alice' }, by('bot', '$command'))
    const who = { kind: 'admin', id: root.userId, way: 'bot' }
    const told = { by: who, on: alice.userId, request: '$command' }
    expect(await entries(before)).toEqual([
      expect.objectContaining({ act: 'admin.called', outcome: 'begun', ...told, details: { operation: 'replace_displayname' } }),
      expect.objectContaining({ act: 'account.renamed', outcome: 'done', ...told }),
      expect.objectContaining({ act: 'admin.called', outcome: 'done', ...told }),
    ]) // prettier-ignore
  })

  it('that fails is there with its errcode', async () => {
    const [alice, bob] = [await someone(), await someone()]
    const planned = await plan('add_email', { user: alice.userId, email: 'shared@a.example' })
    await carryOut('add_email', { user: bob.userId, email: 'shared@a.example' })
    const { id: before } = await node.services.audit.head()
    await expect(node.services.adminCommands.carryOut(by(), planned)).rejects.toMatchObject({
      errcode: 'M_THREEPID_IN_USE',
    })
    expect((await entries(before)).at(-1)).toMatchObject({
      act: 'admin.called',
      outcome: 'M_THREEPID_IN_USE',
    })
  })

  it('changes no administrator, not oneself, and nobody elsewhere', async () => {
    const other = await node.user('other-root')
    await node.services.accounts.moderation.setAdmin(other.userId, true)
    for (const user of [other.userId, root.userId, `@notices:${TEST_SERVER}`]) {
      await expect(plan('reset_password', { user })).rejects.toMatchObject({
        errcode: user.startsWith('@notices') ? 'M_NOT_FOUND' : 'M_FORBIDDEN',
      })
    }
    await expect(plan('lock', { user: '@x:other.example' })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    // Who became one after the prompt is none to be changed either.
    const late = await someone()
    const planned = await plan('log_out', { user: late.userId })
    await node.services.accounts.moderation.setAdmin(late.userId, true)
    await expect(node.services.adminCommands.carryOut(by(), planned)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })

  it('names people by id, name or address', async () => {
    const alice = await someone()
    await carryOut('add_email', { user: alice.userId, email: 'alice.p@a.example' })
    const name = alice.userId.slice(1, alice.userId.indexOf(':'))
    for (const user of [alice.userId, name, name.toUpperCase(), 'ALICE.P@a.example'])
      expect((await plan('user', { user })).arguments.get('user')).toBe(alice.userId)
    await expect(plan('user', { user: 'nobody@a.example' })).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('says exactly what will happen', async () => {
    const alice = await someone()
    await carryOut('replace_displayname', { user: alice.userId, name: 'Alice P' })
    expect((await plan('deactivate', { user: alice.userId, erase: 'erase' })).will).toMatch(
      new RegExp(`^${alice.userId} \\(Alice P\\) is closed: .* can never be opened again\\.$`),
    )
    expect((await plan('account_validity', { user: alice.userId, until: '2027-06-30' })).will).toContain(
      'until the beginning of 2027-06-30 (UTC)',
    )
    await expect(plan('account_validity', { user: alice.userId, until: '2027-13-30' })).rejects.toMatchObject(
      {
        errcode: 'M_INVALID_PARAM',
      },
    )
    expect(await plan('server_notice', { to: 'b.example', text: 'x' }).catch(String)).toContain(
      'give the command to the other nodes',
    )
  })
})

describe('an account', () => {
  it('is opened again with a password that the policy takes, unless it was erased', async () => {
    const [alice, bob] = [await someone(), await someone()]
    await carryOut('deactivate', { user: alice.userId })
    await carryOut('deactivate', { user: bob.userId, erase: 'erase' })
    // It has left its rooms once this has been looked after.
    await node.services.accounts.credentials.resumeDeactivations()
    const { secrets } = await carryOut('reactivate', { user: alice.userId })
    expect(secrets!['password']!.length).toBeGreaterThanOrEqual(30)
    expect(() => node.services.accounts.credentials.checkPassword(secrets!['password']!)).not.toThrow()
    await expect(plan('reactivate', { user: alice.userId })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await expect(plan('reactivate', { user: bob.userId })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
      message: expect.stringMatching(/erased/),
    })
  })

  it('whose person has moved to another node is said to be one', async () => {
    const alice = await someone()
    const move = (step: string) =>
      node.store.write('test', () =>
        insertAccountMove({
          ...{ side: 'source', old_user: alice.userId, new_user: '@alice:there.example', step },
          ...{
            nonce: step,
            certificate: null,
            consent: 1,
            reason: '',
            created_ts: 0,
            not_after: 0,
            due_ts: NEVER,
          },
        }),
      )
    await move('rooms')
    expect((await plan('unlock', { user: alice.userId })).will).not.toContain('moved')
    expect((await carryOut('user', { user: alice.userId })).details).not.toHaveProperty('moved_to')
    await move('done')
    expect((await plan('unlock', { user: alice.userId })).will).toMatch(/has moved to @alice:there\.example/)
    expect((await carryOut('user', { user: alice.userId })).details['moved_to']).toBe('@alice:there.example')
  })

  it('expires when an administrator says so', async () => {
    const alice = await someone()
    const until = (await carryOut('account_validity', { user: alice.userId, until: 'renew' })).details[
      'expires'
    ]
    expect(until).toBe(new Date(clock.now() + 30 * 86_400_000).toISOString())
    await carryOut('account_validity', { user: alice.userId, until: '2031-01-02' })
    expect((await carryOut('account_validity', { user: alice.userId })).details).toEqual({
      user_id: alice.userId,
      expires: '2031-01-02T00:00:00.000Z',
    })
  })

  it('has the addresses that it is given, and those are of one account', async () => {
    const alice = await someone()
    const user = alice.userId
    await carryOut('add_email', { user, email: 'one@b.example' })
    const change = { user, old: 'one@b.example', new: 'Two@b.example' }
    const planned = await plan('replace_email', change)
    const commander = by()
    await node.services.adminCommands.carryOut(commander, planned)
    // As after a crash, when nobody knows whether it was done.
    expect((await node.services.adminCommands.carryOut(commander, planned)).details['emails']).toEqual([
      'two@b.example',
    ])
    await expect(plan('remove_email', { user, email: 'one@b.example' })).rejects.toMatchObject({
      errcode: 'M_THREEPID_NOT_FOUND',
    })
    await expect(plan('add_email', { user: (await someone()).userId, email: 'two@b.example' })).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' }) // prettier-ignore
  })
})

describe('a notice', () => {
  it('reaches everybody once, however often the command begins anew', async () => {
    const alice = await someone()
    const commander = by('bot', '$notice')
    const planned = await plan(
      'server_notice',
      { to: `${TEST_SERVER},other.example`, text: 'Tonight' },
      commander,
    )
    expect(planned.will).toMatch(
      /tells everybody of ours\.example: “Tonight”.*other\.example are told by their own/,
    )
    const first = await node.services.adminCommands.carryOut(commander, planned)
    expect(first.details['told']).toBeGreaterThan(1)
    await node.services.adminCommands.carryOut(commander, planned)
    const { rooms } = await node.sync(alice)
    const [roomId] = Object.keys(rooms.invite)
    await node.services.memberships.join(alice, { room: roomId!, via: [] })
    const { timeline } = (await node.sync(alice)).rooms.join[roomId!]
    const bodies = timeline.events.map((event: { content: { body?: string } }) => event.content.body)
    expect(bodies.filter((body: string | undefined) => body === 'Tonight')).toHaveLength(1)
  })

  it('ends where the node does', async () => {
    const stopping = new AbortController()
    stopping.abort()
    const commander = { ...by(), signal: stopping.signal }
    await expect(carryOut('server_notice', { to: 'all', text: 'x' }, commander)).rejects.toThrow(/abort/)
  })
})
