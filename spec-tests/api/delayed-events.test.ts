import { expect } from '@jest/globals'
import { call, eventually, type Answer, type User } from '../harness/client.js'
import { enc, inRoom, refusal, section, sendText, sharedRoom } from '../harness/section.js'

const BASE = '/_matrix/client/unstable/org.matrix.msc4140'
const EVENTS = `${BASE}/delayed_events`
const TYPE = 'com.example.later'
const HOUR = 3_600_000
/** No server must have these. */
const ownOnly = { ownOnly: true }
let counter = 0

interface Wish {
  readonly type?: string
  readonly delay_ms?: unknown
  readonly state_key?: unknown
  readonly content?: unknown
}

const at = (roomId: string, type: string): string =>
  `${BASE}/rooms/${enc(roomId)}/delayed_event/${type}/later${Date.now()}-${counter++}`
const ask = (user: User, roomId: string, { type = TYPE, ...body }: Wish): Promise<Answer> =>
  user.call('PUT', at(roomId, type), { body })
async function schedule(user: User, roomId: string, n: number, more: Wish = {}): Promise<string> {
  const { type = TYPE, ...body } = { delay_ms: HOUR, content: { n }, ...more }
  return (await user.ok('PUT', at(roomId, type), body)).delay_id
}
const waiting = async (user: User): Promise<unknown> => (await user.ok('GET', EVENTS)).delayed_events

interface Shown {
  readonly type: string
  readonly event_id: string
  readonly sender: string
  readonly state_key?: string
  readonly content: { readonly n: number }
}
/** What of it somebody sees in the room, the earliest first. */
async function sent(viewer: User, roomId: string): Promise<Shown[]> {
  const { chunk } = await viewer.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', limit: 100 })
  return (chunk as Shown[]).filter(({ type }) => type === TYPE).reverse()
}
const numbers = async (viewer: User, roomId: string): Promise<number[]> =>
  (await sent(viewer, roomId)).map(({ content }) => content.n)

// Not in the specification: a proposal, MSC4140, by which calls end for whom their server has lost.
section('Delayed events', 'proposals/', (operation) => {
  operation(
    'scheduleDelayedEvent',
    `PUT ${BASE}/rooms/{roomId}/delayed_event/{eventType}/{txnId}`,
    ({ success, error, authorisation }) => {
      success(
        'sends an event, and sets state, when the time has come',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await sharedRoom(alice, [bob])
          const first = await schedule(alice, roomId, 11, { delay_ms: 1 })
          const second = await schedule(alice, roomId, 12, { delay_ms: 1, state_key: 'call' })
          const seen = await eventually('both events', async () => {
            const found = await sent(bob, roomId)
            return found.length === 2 && found
          })
          expect(
            new Map(seen.map(({ content, sender, state_key }) => [content.n, [sender, state_key]])),
          ).toEqual(
            new Map([
              [11, [alice.userId, undefined]],
              [12, [alice.userId, 'call']],
            ]),
          )
          expect(await bob.ok('GET', inRoom(roomId, `state/${TYPE}/call`))).toEqual({ n: 12 })
          expect(first).not.toBe(second)
        },
        ownOnly,
      )
      success(
        'keeps it until then, and once however often a request is repeated',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          const path = at(roomId, TYPE)
          const body = { delay_ms: HOUR, content: { n: 13 } }
          const made = await alice.ok('PUT', path, body)
          expect(made).toEqual({ delay_id: expect.stringMatching(/^.{16,}$/) })
          expect(await alice.ok('PUT', path, body)).toEqual(made)
          expect(await waiting(alice)).toMatchObject([
            { delay_id: made.delay_id, room_id: roomId, delay_ms: HOUR, content: { n: 13 } },
          ])
          // The room goes on in the meantime.
          await sendText(alice, roomId, 'now')
          expect(await numbers(alice, roomId)).toEqual([])
        },
        ownOnly,
      )
      error(
        'refuses delays that are none or too long, and what is no event',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          for (const delay_ms of [0, -1, 1.5, '1000', null])
            await refusal(ask(alice, roomId, { delay_ms, content: {} }), 400, 'M_INVALID_PARAM', 'M_BAD_JSON')
          await refusal(ask(alice, roomId, { content: {} }), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
          await refusal(ask(alice, roomId, { delay_ms: HOUR }), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
          await refusal(ask(alice, roomId, { delay_ms: HOUR, content: 'x' }), 400, 'M_BAD_JSON')
          await refusal(ask(alice, roomId, { delay_ms: HOUR, content: {}, state_key: 7 }), 400, 'M_BAD_JSON')
          const { capabilities } = await alice.ok('GET', '/_matrix/client/v3/capabilities')
          const { max_delay_ms: longest } = capabilities['org.matrix.msc4140.delayed_events']
          const late = await refusal(
            ask(alice, roomId, { delay_ms: longest + 1, content: {} }),
            403,
            'M_FORBIDDEN',
          )
          expect(late.body).toMatchObject({
            'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
            'org.matrix.msc4140.max_delay': longest,
          })
          expect(await waiting(alice)).toEqual([])
        },
        ownOnly,
      )
      authorisation(
        'is for members, and tells others of a room what it tells of none',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await sharedRoom(alice)
          const wish = { delay_ms: HOUR, content: {} }
          const refused = await refusal(ask(bob, roomId, wish), 403, 'M_FORBIDDEN')
          const none = await refusal(ask(bob, `!none:${server.serverName}`, wish), 403, 'M_FORBIDDEN')
          expect(refused.body).toEqual(none.body)
          expect(await waiting(bob)).toEqual([])
        },
        ownOnly,
      )
    },
    { sample: { body: { delay_ms: HOUR, content: {} } } },
  )
  operation('getDelayedEvents', `GET ${EVENTS}`, ({ success }) => {
    success(
      'lists one’s own that wait, the next first',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const other = await sharedRoom(alice)
        const before = Date.now()
        const later = await schedule(alice, roomId, 21, { delay_ms: HOUR + 21 })
        const sooner = await schedule(alice, other, 22, { delay_ms: HOUR - 60_000, state_key: 'key' })
        const ofBob = await schedule(bob, roomId, 23)
        const listed = await alice.ok('GET', EVENTS)
        const [{ scheduled_at: second }, { scheduled_at: first }] = listed.delayed_events
        for (const time of [first, second]) {
          expect(time).toBeGreaterThanOrEqual(before)
          expect(time).toBeLessThanOrEqual(Date.now())
        }
        expect(listed).toEqual({
          delayed_events: [
            {
              delay_id: sooner,
              room_id: other,
              type: TYPE,
              state_key: 'key',
              delay_ms: HOUR - 60_000,
              delay: HOUR - 60_000,
              scheduled_at: second,
              running_since: second,
              content: { n: 22 },
            },
            {
              delay_id: later,
              room_id: roomId,
              type: TYPE,
              delay_ms: HOUR + 21,
              delay: HOUR + 21,
              scheduled_at: first,
              running_since: first,
              content: { n: 21 },
            },
          ],
        })
        expect(await waiting(bob)).toMatchObject([{ delay_id: ofBob, content: { n: 23 } }])
      },
      ownOnly,
    )
  })
  operation('getDelayedEvent', `GET ${EVENTS}/{delayId}`, ({ success, error, authorisation }) => {
    success(
      'tells what waits, and afterwards what has become of it',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const delayId = await schedule(alice, roomId, 31, { state_key: 'key' })
        const before = await alice.ok('GET', `${EVENTS}/${delayId}`)
        const time = expect.any(Number)
        const details = {
          delay_id: delayId,
          room_id: roomId,
          type: TYPE,
          state_key: 'key',
          delay_ms: HOUR,
          delay: HOUR,
          scheduled_at: time,
          running_since: time,
          content: { n: 31 },
        }
        expect(before).toEqual(details)
        await alice.ok('POST', `${EVENTS}/${delayId}/send`)
        const [event] = await sent(bob, roomId)
        const after = await alice.ok('GET', `${EVENTS}/${delayId}`)
        expect(after).toEqual({ ...before, event_id: event!.event_id, finalised_ts: time })
        expect(after.finalised_ts).toBeGreaterThanOrEqual(before.scheduled_at)
      },
      ownOnly,
    )
    success(
      'tells why something could not be sent, and that something was cancelled',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const type = 'm.room.power_levels'
        const denied = await schedule(bob, roomId, 32, { type, state_key: '', delay_ms: 1 })
        const over = await eventually('it is over', async () => {
          const found = await bob.ok('GET', `${EVENTS}/${denied}`)
          return found.finalised_ts !== undefined && found
        })
        expect(over).toMatchObject({ type, error: { errcode: 'M_FORBIDDEN', error: expect.any(String) } })
        expect(over).not.toHaveProperty('event_id')
        const cancelled = await schedule(bob, roomId, 33)
        await bob.ok('POST', `${EVENTS}/${cancelled}/cancel`)
        const told = await bob.ok('GET', `${EVENTS}/${cancelled}`)
        expect(told).toMatchObject({ content: { n: 33 }, finalised_ts: expect.any(Number) })
        expect(told).not.toHaveProperty('event_id')
        expect(told).not.toHaveProperty('error')
      },
      ownOnly,
    )
    error(
      'knows none that is not there',
      async (server) => {
        const alice = await server.user('alice')
        await refusal(alice.call('GET', `${EVENTS}/nonsense`), 404, 'M_NOT_FOUND')
      },
      ownOnly,
    )
    authorisation(
      'is one’s own, and tells others what it tells of none',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const delayId = await schedule(alice, await sharedRoom(alice, [bob]), 34)
        const refused = await refusal(bob.call('GET', `${EVENTS}/${delayId}`), 404, 'M_NOT_FOUND')
        const none = await refusal(bob.call('GET', `${EVENTS}/nonsense`), 404, 'M_NOT_FOUND')
        expect(refused.body).toEqual(none.body)
      },
      ownOnly,
    )
  })

  // The id alone permits these: servers for calls, to whom clients hand it, have no token.
  const act = (base: string, delayId: string, action: string): Promise<Answer> =>
    call(base, 'POST', `${EVENTS}/${delayId}/${action}`, { body: {} })
  const done = { status: 200, body: {} }
  const open = { auth: 'none' } as const

  operation(
    'sendDelayedEvent',
    `POST ${EVENTS}/{delayId}/send`,
    ({ success, error, authorisation }) => {
      success(
        'sends it at once, and only once',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await sharedRoom(alice, [bob])
          const delayId = await schedule(alice, roomId, 41)
          const other = await schedule(alice, roomId, 42)
          expect(await act(server.url, delayId, 'send')).toMatchObject(done)
          expect(await numbers(bob, roomId)).toEqual([41])
          expect(await act(server.url, delayId, 'send')).toMatchObject(done)
          expect(await numbers(bob, roomId)).toEqual([41])
          expect(await waiting(alice)).toMatchObject([{ delay_id: other }])
        },
        ownOnly,
      )
      error(
        'sends none that is not there or was cancelled',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          const delayId = await schedule(alice, roomId, 43)
          await refusal(act(server.url, 'nonsense', 'send'), 404, 'M_NOT_FOUND')
          await act(server.url, delayId, 'cancel')
          const { status, body } = await act(server.url, delayId, 'send')
          expect([status, body.errcode, body.error]).toEqual([
            409,
            'M_NOT_FOUND',
            expect.stringContaining('cancelled'),
          ])
          expect(await numbers(alice, roomId)).toEqual([])
        },
        ownOnly,
      )
      authorisation(
        'sends nothing that its user may not send, which goes on waiting',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await sharedRoom(alice, [bob])
          const delayId = await schedule(bob, roomId, 44, { type: 'm.room.power_levels', state_key: '' })
          await refusal(act(server.url, delayId, 'send'), 403, 'M_FORBIDDEN')
          expect(await waiting(bob)).toMatchObject([{ delay_id: delayId }])
        },
        ownOnly,
      )
    },
    open,
  )
  operation(
    'cancelDelayedEvent',
    `POST ${EVENTS}/{delayId}/cancel`,
    ({ success, error }) => {
      success(
        'takes it away, and nothing else',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          const [delayId, other] = [await schedule(alice, roomId, 51), await schedule(alice, roomId, 52)]
          for (let time = 0; time < 2; time++)
            expect(await act(server.url, delayId, 'cancel')).toMatchObject(done)
          expect(await waiting(alice)).toMatchObject([{ delay_id: other }])
          expect(await numbers(alice, roomId)).toEqual([])
        },
        ownOnly,
      )
      error(
        'takes away none that is not there or was sent',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          const delayId = await schedule(alice, roomId, 53)
          await refusal(act(server.url, 'nonsense', 'cancel'), 404, 'M_NOT_FOUND')
          await act(server.url, delayId, 'send')
          const { status, body } = await act(server.url, delayId, 'cancel')
          expect([status, body.errcode, body.error]).toEqual([
            409,
            'M_NOT_FOUND',
            expect.stringContaining('sent'),
          ])
          expect(await numbers(alice, roomId)).toEqual([53])
        },
        ownOnly,
      )
    },
    open,
  )
  operation(
    'restartDelayedEvent',
    `POST ${EVENTS}/{delayId}/restart`,
    ({ success, error }) => {
      success(
        'lets the time begin anew',
        async (server) => {
          const alice = await server.user('alice')
          const delayId = await schedule(alice, await sharedRoom(alice), 61)
          const [{ scheduled_at: before }] = (await alice.ok('GET', EVENTS)).delayed_events
          await eventually('a later time', () => Promise.resolve(Date.now() > before))
          expect(await act(server.url, delayId, 'restart')).toMatchObject(done)
          const [{ scheduled_at: after, running_since: same }] = (await alice.ok('GET', EVENTS))
            .delayed_events
          expect(after).toBeGreaterThan(before)
          expect(same).toBe(after)
        },
        ownOnly,
      )
      error(
        'begins none anew that is not there or is over',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          await refusal(act(server.url, 'nonsense', 'restart'), 404, 'M_NOT_FOUND')
          for (const [n, action, said, code] of [
            [62, 'send', 'sent', 404],
            [63, 'cancel', 'cancelled', 409],
          ] as const) {
            const delayId = await schedule(alice, roomId, n)
            await act(server.url, delayId, action)
            const { status, body } = await act(server.url, delayId, 'restart')
            expect([status, body.errcode, body.error]).toEqual([
              code,
              'M_NOT_FOUND',
              expect.stringContaining(said),
            ])
          }
          expect(await waiting(alice)).toEqual([])
        },
        ownOnly,
      )
    },
    open,
  )
})
