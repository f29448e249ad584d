import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { testServices, TEST_SERVER, type TestServices } from '../../composition/testing.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { insertUser, userById } from '../../storage/tables/users.js'
import { run } from '../../storage/tx.js'
import { untilPasses } from '../../platform/testing-until.js'
import type { Requester } from '../requester.js'
import type { ModerationDesk } from './moderation-desk.js'

const HOUR = 3_600_000
const MODERATOR = `@mod:${TEST_SERVER}`

let node: TestServices
let clock: ManualClock
let alice: Requester
let bob: Requester
let moderator: Requester
let stranger: Requester
let desk: ModerationDesk

beforeAll(async () => {
  clock = manualClock()
  node = await testServices(
    {
      audit: { enabled: true },
      moderation: { answer_within: '4h', moderators: [MODERATOR], notify: [MODERATOR] },
      server_notices: { localpart: 'notices' },
    },
    clock,
  )
  alice = await node.user('alice')
  bob = await node.user('bob')
  moderator = await node.user('mod')
  stranger = await node.user('stranger')
  await node.store.write('test.admin', () =>
    insertUser({
      userId: `@root:${TEST_SERVER}`,
      passwordHash: null,
      createdTs: 0,
      isGuest: false,
      isAdmin: true,
      appserviceId: null,
    }),
  )
  desk = node.services.moderationDesk
})
afterAll(() => node.close())
beforeEach(async () => {
  await node.store.write('test.empty', function* () {
    yield* run('DELETE FROM report_cases')
    yield* run('DELETE FROM reports')
  })
})

async function said(content: Record<string, string> = { msgtype: 'm.text', body: 'something bad' }) {
  const { room_id: roomId } = await node.services.roomCreation.create(alice, { invite: [bob.userId] })
  await node.services.memberships.join(bob, { room: roomId, via: [] })
  const { event_id: eventId } = await node.services.sending.message(alice, {
    roomId,
    type: 'm.room.message',
    content,
    txnId: `m-${roomId}`,
  })
  return { roomId, eventId }
}

interface Shown {
  readonly case_id: number
  readonly state: string
  readonly overdue: boolean
}
const list = async (query: Partial<Parameters<ModerationDesk['list']>[0]> = {}): Promise<Shown[]> =>
  (await desk.list({ from: 0, limit: 50, ...query }))['cases'] as unknown as Shown[]

/** Reports what alice said; gives the case. */
async function reported(content?: Record<string, string>) {
  const where = await said(content)
  await node.services.reports.reportEvent(bob, where.roomId, where.eventId, 'it is bad')
  const [found] = await list()
  return { ...where, id: found!.case_id }
}

interface Entry {
  readonly act: string
  readonly outcome: string
  readonly by: { readonly kind: string; readonly id?: string }
  readonly details?: Record<string, unknown>
}
async function acts(after: number): Promise<Entry[]> {
  const rows = await node.services.audit.entries(after, 1_000)
  return rows.map((row) => JSON.parse(row.entry) as Entry)
}
const now = async (): Promise<number> => (await node.services.audit.head()).id
const userOf = (userId: string) => node.store.read('test.user', () => userById(userId))

describe('the desk of the moderators', () => {
  it('is for moderators and administrators alone', () => {
    expect(desk.worker(moderator)).toBe(MODERATOR)
    expect(desk.worker({ ...stranger, isAdmin: true })).toBe(stranger.userId)
    expect(() => desk.worker(stranger)).toThrow('Only a moderator')
    expect(() => desk.worker({ ...moderator, appserviceId: 'bridge' })).toThrow('Only a person')
  })

  it('has a case for each report, with what was reported and until when it is due', async () => {
    const { id, roomId, eventId } = await reported()
    expect(await desk.details(id)).toMatchObject({
      state: 'open',
      assignee: null,
      due_ts: clock.now() + 4 * HOUR,
      overdue: false,
      kind: 'event',
      reporter: bob.userId,
      user_id: alice.userId,
      room_id: roomId,
      event_id: eventId,
      reason: 'it is bad',
      event: { content: { body: 'something bad' } },
    })
    await expect(desk.details(id + 999)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('shows what is due first, and what of it is whose, overdue or closed', async () => {
    await node.services.reports.reportUser(bob, alice.userId, 'first')
    clock.advance(HOUR)
    await node.services.reports.reportUser(bob, stranger.userId, 'second')
    clock.advance(3 * HOUR)
    const [first, second] = (await list()) as [Shown, Shown]
    expect([first.overdue, second.overdue]).toEqual([true, false])
    expect(await list({ overdue: true })).toEqual([first])
    await desk.assign(second.case_id, MODERATOR, MODERATOR)
    expect((await list({ assignee: MODERATOR })).map((found) => found.case_id)).toEqual([second.case_id])
    expect((await list({ state: 'open' })).map((found) => found.case_id)).toEqual([first.case_id])
    await desk.close(first.case_id, { resolution: 'rejected', comment: 'a quarrel' }, MODERATOR)
    expect(await list({ state: 'closed' })).toMatchObject([{ resolution: 'rejected', comment: 'a quarrel' }])
    expect(await desk.list({ from: 0, limit: 1 })).toMatchObject({ total: 1 })
    expect(await desk.counts()).toEqual({ open: 1, overdue: 0 })
  })

  it('is asked again where somebody reports anew what was closed', async () => {
    const { id, roomId, eventId } = await reported()
    await desk.close(id, { resolution: 'rejected', comment: undefined }, MODERATOR)
    clock.advance(HOUR)
    await node.services.reports.reportEvent(bob, roomId, eventId, 'again')
    expect(await desk.details(id)).toMatchObject({
      state: 'open',
      reason: 'again',
      due_ts: clock.now() + 4 * HOUR,
    })
  })

  it('gives cases to moderators alone, and closes each once', async () => {
    const { id } = await reported()
    const head = await now()
    await expect(desk.assign(id, stranger.userId, MODERATOR)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' }) // prettier-ignore
    await desk.assign(id, `@root:${TEST_SERVER}`, MODERATOR)
    await desk.assign(id, null, MODERATOR)
    await desk.close(id, { resolution: 'upheld', comment: undefined }, MODERATOR)
    for (const late of [
      desk.close(id, { resolution: 'rejected', comment: undefined }, MODERATOR),
      desk.assign(id, MODERATOR, MODERATOR),
    ])
      await expect(late).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    expect(await acts(head)).toMatchObject([
      { act: 'report.changed', by: { kind: 'admin', id: MODERATOR }, details: { to: 'assigned' } },
      { act: 'report.changed', details: { assignee: null } },
      { act: 'report.changed', details: { to: 'closed', resolution: 'upheld' } },
    ])
  })

  it('takes back what was said, with a trace before and after', async () => {
    const { id, roomId, eventId } = await reported()
    const head = await now()
    await desk.act(id, { action: 'redact', reason: 'insults' }, MODERATOR)
    const event = await node.services.history.event(bob, roomId, eventId)
    expect(event['content']).toEqual({})
    expect(await acts(head)).toMatchObject([
      { act: 'event.redacted', outcome: 'begun', by: { id: MODERATOR } },
      { act: 'event.redacted', outcome: 'done' },
    ])
  })

  it('locks and suspends whom the report names, and no administrator', async () => {
    const { id } = await reported()
    await desk.act(id, { action: 'suspend', reason: undefined }, MODERATOR)
    const before = await now()
    await desk.act(id, { action: 'lock', reason: 'threats' }, undefined)
    // One line, in the transaction of the act.
    expect(await acts(before)).toEqual([
      expect.objectContaining({
        ...{ act: 'account.locked', outcome: 'done', by: { kind: 'operator' }, on: alice.userId },
        ...{ reason: 'threats', details: { case: id, action: 'lock' } },
      }),
    ])
    expect(await userOf(alice.userId)).toMatchObject({ suspended: 1, locked: 1 })
    for (const flag of ['suspended', 'locked'] as const)
      await node.services.accounts.moderation.set(MODERATOR, alice.userId, flag, false)
    await node.services.reports.reportUser(bob, `@root:${TEST_SERVER}`, 'power')
    const root = (await list()).at(-1)!.case_id
    const head = await now()
    await expect(desk.act(root, { action: 'lock', reason: undefined }, MODERATOR)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    expect(await acts(head)).toMatchObject([{ act: 'account.locked', outcome: 'M_FORBIDDEN' }])
  })

  it('puts media into quarantine', async () => {
    const { id } = await reported({ msgtype: 'm.image', body: 'x', url: `mxc://${TEST_SERVER}/abcdef` })
    expect(await desk.act(id, { action: 'quarantine_media', reason: undefined }, MODERATOR)).toEqual({
      media: 1,
    })
    expect(await desk.act(id, { action: 'quarantine_media', reason: undefined }, MODERATOR)).toEqual({
      media: 0,
    })
  })

  it('shuts a room down, and tells its people why', async () => {
    const { id, roomId } = await reported()
    const message = 'This room broke the rules of the ministry.'
    await desk.act(id, { action: 'shut_down_room', reason: undefined, message }, MODERATOR)
    await untilPasses(async () => {
      expect(await node.services.memberships.joinedRooms(alice.userId)).not.toContain(roomId)
      expect(await node.services.memberships.joinedRooms(bob.userId)).not.toContain(roomId)
    })
    await expect(node.services.memberships.join(bob, { room: roomId, via: [] })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })

  it.each(['redact', 'quarantine_media', 'shut_down_room'] as const)(
    'does not %s where the report names nothing of the kind',
    async (action) => {
      await node.services.reports.reportUser(bob, '@mallory:elsewhere.example', 'spam')
      const [found] = await list()
      await expect(desk.act(found!.case_id, { action, reason: undefined }, MODERATOR)).rejects.toMatchObject({
        errcode: 'M_INVALID_PARAM',
      })
    },
  )

  it('does nothing to accounts of other servers', async () => {
    await node.services.reports.reportUser(bob, '@mallory:elsewhere.example', 'spam')
    const [found] = await list()
    await expect(desk.act(found!.case_id, { action: 'lock', reason: undefined }, MODERATOR)).rejects.toThrow(
      'another server',
    )
  })

  it('tells the moderators once of what is overdue', async () => {
    await reported()
    const notices = async (): Promise<string> => JSON.stringify(await node.sync(moderator))
    await desk.watch()
    const head = await now()
    clock.advance(5 * HOUR)
    await desk.watch()
    await desk.watch()
    const overdue = (await acts(head)).filter(({ details }) => details?.['to'] === 'overdue')
    expect(overdue).toHaveLength(1)
    expect(await notices()).toContain('"invite":{"!')
  })
})
