import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import { MatrixError } from '../../core/errors.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { run } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { createDelayedEvents, type DelayedEvents, type ScheduleInput } from './delayed-events.js'
import type { DeliverDeps } from './deliver.js'

const TYPE = 'com.example.test'

let test: TestServices
let clock: ManualClock
let alice: Requester
let bob: Requester
let roomId: string
let delayed: DelayedEvents
beforeEach(async () => {
  test = await testServices()
  clock = manualClock()
  alice = { ...(await test.user('alice')), deviceId: 'PHONE' }
  bob = await test.user('bob')
  roomId = (await test.services.roomCreation.create(alice, { preset: 'public_chat' })).room_id
  await test.services.memberships.join(bob, { room: roomId, via: [] })
  delayed = build()
})
afterEach(() => test.close())

/** The service on a clock of its own, as after a restart. */
function build(sending: DeliverDeps['sending'] = test.services.sending, maxScheduled = 10): DelayedEvents {
  return createDelayedEvents({
    store: test.store,
    context: { ...test.built.rooms.context, clock },
    sending,
    memberships: test.services.memberships,
    options: { maxDelayMs: 60_000, maxScheduled },
  })
}

const schedule = async (delayMs: number, more: Partial<ScheduleInput> = {}, who = alice): Promise<string> =>
  (await delayed.schedule(who, { roomId, type: TYPE, content: { n: delayMs }, delayMs, ...more })).delay_id

interface Shown {
  readonly type: string
  readonly state_key?: string
  readonly content: { readonly n: number }
  readonly unsigned: object
}
/** What was sent, as somebody sees it. */
async function sent(who = alice): Promise<Shown[]> {
  const { rooms } = await test.sync(who, { filter: { room: { timeline: { limit: 50 } } } })
  return (rooms.join[roomId].timeline.events as Shown[]).filter((event) => event.type === TYPE)
}
const numbers = async (): Promise<number[]> => (await sent()).map((event) => event.content.n)
const refused = (work: Promise<unknown>, errcode: string, status?: number): Promise<unknown> =>
  expect(work).rejects.toMatchObject({ errcode, ...(status === undefined ? {} : { status }) })

describe('a delayed event', () => {
  it('is sent when its time has come and not before, the earliest first, and once', async () => {
    await schedule(300)
    await schedule(100)
    await schedule(200, { stateKey: 'a' })
    clock.advance(99)
    await delayed.sendDue()
    expect(await numbers()).toEqual([])
    expect((await delayed.list(alice)).delayed_events).toMatchObject([
      { type: TYPE, content: { n: 100 }, delay_ms: 100, delay: 100 },
      { state_key: 'a', content: { n: 200 } },
      { content: { n: 300 }, room_id: roomId },
    ])
    clock.advance(500)
    await delayed.sendDue()
    await delayed.sendDue()
    expect(await numbers()).toEqual([100, 200, 300])
    expect(await delayed.list(alice)).toEqual({ delayed_events: [] })
  })

  it('that was due while no process ran is sent by the next, by itself', async () => {
    const delayId = await schedule(100)
    await delayed.close()
    clock.advance(100)
    const next = build()
    next.start()
    // Waits for the turn that `start` has begun.
    await next.close()
    expect(await next.get(alice, delayId)).toMatchObject({ event_id: expect.stringMatching(/^\$/) })
    expect(await numbers()).toEqual([100])
  })

  it.each([undefined, 'state'])('is not sent again where a process ended after it: %s', async (stateKey) => {
    const delayId = await schedule(100, { stateKey })
    clock.advance(100)
    const { sending } = test.services
    const dying = build({
      async message(requester, input) {
        await sending.message(requester, input)
        throw new Error('the process ends')
      },
      async state(requester, input) {
        await sending.state(requester, input)
        throw new Error('the process ends')
      },
    })
    await dying.sendDue()
    expect((await dying.list(alice)).delayed_events).toHaveLength(1)
    // Somebody else changes the state meanwhile: what comes again would undo it.
    const content = { n: 7 }
    await test.services.sending.state(alice, { roomId, type: TYPE, stateKey: 'state', content })
    clock.advance(10_000)
    await delayed.sendDue()
    expect(await numbers()).toEqual([100, 7])
    expect(await delayed.get(alice, delayId)).toMatchObject({ event_id: expect.any(String) })
  })

  it('tells its sender, and nobody else, which one it was', async () => {
    const delayId = await schedule(100)
    clock.advance(100)
    await delayed.sendDue()
    const told = { 'org.matrix.msc4140.delay_id': delayId }
    expect(await sent({ ...alice } as Requester)).toMatchObject([{ unsigned: told }])
    expect((await sent({ ...alice, deviceId: 'TABLET' }))[0]!.unsigned).toMatchObject(told)
    expect((await sent(bob))[0]!.unsigned).not.toHaveProperty(['org.matrix.msc4140.delay_id'])
  })

  it('that its user may not send by then is not sent, and says why', async () => {
    const denied = await schedule(50, { type: 'm.room.power_levels', stateKey: '', content: {} }, bob)
    const suspended = await schedule(100, {}, bob)
    clock.advance(50)
    await delayed.sendDue()
    await test.store.write('test', () => run('UPDATE users SET suspended = 1 WHERE user_id = ?', bob.userId))
    clock.advance(50)
    await delayed.sendDue()
    expect(await delayed.get(bob, denied)).toMatchObject({ error: { errcode: 'M_FORBIDDEN' } })
    expect(await delayed.get(bob, suspended)).toMatchObject({
      error: { errcode: 'M_USER_SUSPENDED' },
      finalised_ts: clock.now(),
    })
    await refused(delayed.act(suspended, 'send'), 'M_NOT_FOUND', 409)
    expect(await delayed.act(suspended, 'cancel')).toEqual({})
    expect(await numbers()).toEqual([])
  })

  it('goes with its user’s account', async () => {
    const delayId = await schedule(100, {}, bob)
    await test.services.accounts.credentials.deactivate(bob.userId, false)
    await refused(delayed.get(bob, delayId), 'M_NOT_FOUND')
  })

  it('is given up after faults of the server again and again', async () => {
    const delayId = await schedule(100)
    const broken = (): Promise<never> => Promise.reject(new Error('no'))
    const faulty = build({ message: broken, state: broken })
    for (let i = 0; i < 10; i++) {
      clock.advance(10_000)
      await faulty.sendDue()
    }
    expect(await delayed.get(alice, delayId)).toMatchObject({ error: { errcode: 'M_UNKNOWN' } })
  })
})

describe('who knows the id of a delayed event', () => {
  it('sends it at once, which may be repeated and not be undone', async () => {
    const delayId = await schedule(100)
    expect(await delayed.act(delayId, 'send')).toEqual({})
    expect(await delayed.act(delayId, 'send')).toEqual({})
    await refused(delayed.act(delayId, 'cancel'), 'M_NOT_FOUND', 409)
    await refused(delayed.act(delayId, 'restart'), 'M_NOT_FOUND', 404)
    clock.advance(100)
    await delayed.sendDue()
    expect(await numbers()).toEqual([100])
  })

  it('cancels it, which may be repeated and not be undone', async () => {
    const delayId = await schedule(100)
    expect(await delayed.act(delayId, 'cancel')).toEqual({})
    expect(await delayed.act(delayId, 'cancel')).toEqual({})
    await refused(delayed.act(delayId, 'send'), 'M_NOT_FOUND', 409)
    await refused(delayed.act(delayId, 'restart'), 'M_NOT_FOUND', 409)
    clock.advance(100)
    await delayed.sendDue()
    expect(await numbers()).toEqual([])
  })

  it('lets the delay begin anew', async () => {
    const delayId = await schedule(100)
    clock.advance(99)
    await delayed.act(delayId, 'restart')
    clock.advance(99)
    await delayed.sendDue()
    expect(await numbers()).toEqual([])
    expect(await delayed.get(alice, delayId)).toMatchObject({ scheduled_at: clock.now() - 99 })
    clock.advance(1)
    await delayed.sendDue()
    expect(await numbers()).toEqual([100])
  })

  it('is told why it cannot be sent, and it goes on waiting', async () => {
    const delayId = await schedule(100, { type: 'm.room.power_levels', stateKey: '', content: {} }, bob)
    await refused(delayed.act(delayId, 'send'), 'M_FORBIDDEN')
    expect((await delayed.list(bob)).delayed_events).toHaveLength(1)
    await refused(delayed.act('nonsense', 'send'), 'M_NOT_FOUND')
    await refused(delayed.get(alice, delayId), 'M_NOT_FOUND')
  })
})

describe('scheduling', () => {
  it('gives the same id for the same transaction of a device', async () => {
    const first = await schedule(100, { txnId: 'a' })
    expect(await schedule(100, { txnId: 'a' })).toBe(first)
    expect(await schedule(100, { txnId: 'b' })).not.toBe(first)
    expect(await schedule(100)).not.toBe(await schedule(100))
  })

  it('is bounded for each user, who is told when there is room again', async () => {
    for (let i = 1; i <= 10; i++) await schedule(i * 1_000)
    const error: unknown = await schedule(100).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(MatrixError)
    expect(error).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', extra: { retry_after_ms: 1_000 } })
    await schedule(100, {}, bob)
    clock.advance(1_000)
    await delayed.sendDue()
    await schedule(100)
  })

  it('is refused where the delay is too long, the event none, or one is not in the room', async () => {
    await refused(schedule(60_001), 'M_FORBIDDEN')
    await refused(schedule(1, { type: '' }), 'M_INVALID_PARAM')
    await refused(schedule(1, { type: 'x'.repeat(256) }), 'M_INVALID_PARAM')
    await refused(schedule(1, { stateKey: 'x'.repeat(256) }), 'M_INVALID_PARAM')
    await refused(schedule(1, { type: 'm.room.create', stateKey: '' }), 'M_FORBIDDEN')
    await refused(schedule(1, { content: { a: 'x'.repeat(65_536) } }), 'M_TOO_LARGE')
    await refused(schedule(1, { content: { a: 0.5 } }), 'M_BAD_JSON')
    await refused(schedule(1, { txnId: 'x'.repeat(256) }), 'M_INVALID_PARAM')
    await refused(schedule(1, {}, { ...alice, isSuspended: true }), 'M_USER_SUSPENDED')
    const carol = await test.user('carol')
    for (const room of [roomId, '!nothing:ours.example'])
      await refused(schedule(1, { roomId: room }, carol), 'M_FORBIDDEN')
    delayed = build(test.services.sending, 0)
    await refused(schedule(1), 'M_FORBIDDEN')
  })

  it('leaves nothing behind but a week', async () => {
    const delayId = await schedule(100)
    const other = await schedule(60_000)
    await delayed.act(delayId, 'cancel')
    clock.advance(7 * 86_400_000)
    expect(await delayed.prune()).toBe(0)
    clock.advance(1)
    expect(await delayed.prune()).toBe(1)
    await refused(delayed.get(alice, delayId), 'M_NOT_FOUND')
    await delayed.get(alice, other)
  })
})
