import { afterEach, describe, expect, it } from '@jest/globals'
import { freePort } from '../../scripts/free-port.mjs'
import { startAppservice, type TestAppservice } from '../../src/services/appservices/testing-appservice.js'
import {
  call,
  createRoom,
  eventually,
  register,
  v3,
  type Answer,
  type CallOptions,
} from '../harness/client.js'
import { startNode, testAuthority, type Node, type NodeOptions } from '../harness/node.js'

const TOKEN = 'as-token'
const PATIENCE = 120_000
const enc = encodeURIComponent

const opened: { dispose(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.dispose()
})

interface Bridged {
  readonly node: Node
  readonly bot: string
  bridge: TestAppservice
  /** As the bridge, or as one of its users. */
  as(method: string, path: string, options?: CallOptions): Promise<Answer>
}

async function start(registration: object = {}, options: NodeOptions = {}): Promise<Bridged> {
  const port = await freePort()
  const bridge = await startAppservice(port)
  opened.push({ dispose: () => bridge.close() })
  const node = await startNode({
    ...options,
    appservices: [
      {
        id: 'bridge',
        url: bridge.url,
        as_token: TOKEN,
        hs_token: 'hs-token',
        sender_localpart: 'bridgebot',
        namespaces: { users: [{ exclusive: true, regex: '@bridged_.*' }], aliases: [], rooms: [] },
        ...registration,
      },
    ],
  })
  opened.push(node)
  return {
    node,
    bridge,
    bot: `@bridgebot:${node.serverName}`,
    as: (method, path, more = {}) => call(node.url, method, path, { token: TOKEN, ...more }),
  }
}

async function joinAsBot({ as }: Bridged, roomId: string): Promise<void> {
  expect((await as('POST', v3(`/join/${enc(roomId)}`), { body: {} })).status).toBe(200)
}

const messages = (bridge: TestAppservice): string[] =>
  bridge.taken.flatMap(({ body }) =>
    (body.events as { type: string; content: { body?: string } }[]).flatMap((event) =>
      event.type === 'm.room.message' ? [event.content.body ?? ''] : [],
    ),
  )

describe('an application service', () => {
  it(
    'gets everything that was acknowledged, once and in order, from a node that is killed in the middle of transactions',
    async () => {
      const { node, bridge, ...rest } = await start()
      const alice = await register(node.url, 'alice')
      const roomId = await createRoom(alice, { preset: 'public_chat' })
      await joinAsBot({ node, bridge, ...rest }, roomId)
      const sent: string[] = []
      for (let kill = 0; kill < 3; kill++) {
        // The answer to the transaction is lost with the node.
        bridge.answer(({ path }) => (path.includes('/transactions/') ? 'hang' : undefined))
        const before = bridge.transactions.length
        for (let i = 0; i < 10; i++) {
          const body = `${kill}-${i}`
          await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/${body}`), {
            msgtype: 'm.text',
            body,
          })
          sent.push(body)
        }
        await bridge.until(() => bridge.transactions.length > before, 'a transaction under way')
        const lost = bridge.transactions.at(-1)!
        await node.kill()
        bridge.answer(() => undefined)
        await node.start()
        await bridge.until(() => bridge.taken.some(({ id }) => id === lost.id), 'the same transaction again')
        expect(bridge.taken.find(({ id }) => id === lost.id)!.text).toBe(lost.text)
        await bridge.until(() => messages(bridge).includes(`${kill}-9`), 'the last message')
      }
      expect(messages(bridge)).toEqual(sent)
    },
    PATIENCE,
  )

  it(
    'that was down, and a node that was stopped meanwhile, lose nothing of each other',
    async () => {
      const bridged = await start()
      const { node, bridge } = bridged
      const alice = await register(node.url, 'alice')
      const roomId = await createRoom(alice, { preset: 'public_chat' })
      await joinAsBot(bridged, roomId)
      await bridge.until(() => bridge.taken.length > 0, 'the join')
      const port = Number(new URL(bridge.url).port)
      await bridge.close()
      for (let i = 0; i < 120; i++)
        await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/${i}`), {
          msgtype: 'm.text',
          body: `${i}`,
        })
      await node.stop()
      await node.start()
      const again = await startAppservice(port)
      opened.push({ dispose: () => again.close() })
      await again.until(() => messages(again).includes('119'), 'all of it')
      expect(messages(again)).toEqual(Array.from({ length: 120 }, (_, i) => `${i}`))
      const metrics = async (): Promise<string> => await (await fetch(`${node.url}/metrics`)).text()
      await eventually('nothing waits any more', async () =>
        /^chancery_appservice_lag_seconds 0$/m.test(await metrics()),
      )
      expect(await metrics()).toMatch(
        /^chancery_appservice_transactions_total\{appservice="bridge",outcome="taken"\}/m,
      )
    },
    PATIENCE,
  )

  it(
    'registers users, acts as them and their devices, dates their events, and is nobody else',
    async () => {
      const { node, as } = await start()
      const bob = `@bridged_bob:${node.serverName}`
      const asBob = { user_id: bob }
      const type = 'm.login.application_service'
      const made = await as('POST', v3('/register'), {
        body: { type, username: 'bridged_bob', inhibit_login: true },
      })
      expect([made.status, made.body.user_id, made.body.access_token]).toEqual([200, bob, undefined])
      const { body: flows } = await call(node.url, 'GET', v3('/login'))
      expect(flows.flows).toContainEqual({ type })

      const room = await as('POST', v3('/createRoom'), { query: asBob, body: {} })
      const ts = 1_234_567_890
      const path = v3(`/rooms/${enc(room.body.room_id as string)}/send/m.room.message/1`)
      const body = { msgtype: 'm.text', body: 'from long ago' }
      const { event_id: eventId } = (await as('PUT', path, { query: { ...asBob, ts }, body })).body
      const event = v3(`/rooms/${enc(room.body.room_id as string)}/event/${enc(eventId as string)}`)
      expect((await as('GET', event, { query: asBob })).body).toMatchObject({
        origin_server_ts: ts,
        sender: bob,
      })
      // The time counts for memberships too, and between events of one moment the order in which they came.
      const profile = v3(`/rooms/${enc(room.body.room_id as string)}/state/m.room.member/${enc(bob)}`)
      const member = { query: { ...asBob, ts: ts + 1 }, body: { membership: 'join', displayname: 'Bob' } }
      expect((await as('PUT', profile, member)).status).toBe(200)
      const moved = await as('GET', profile, { query: { ...asBob, format: 'event' } })
      expect(moved.body.origin_server_ts).toBe(ts + 1)
      const again = v3(`/rooms/${enc(room.body.room_id as string)}/send/m.room.message/again`)
      const second = (await as('PUT', again, { query: { ...asBob, ts }, body })).body.event_id as string
      const nearest = async (dir: string): Promise<string> => {
        const at = `/_matrix/client/v1/rooms/${enc(room.body.room_id as string)}/timestamp_to_event`
        return (await as('GET', at, { query: { ...asBob, ts, dir } })).body.event_id as string
      }
      expect([await nearest('f'), await nearest('b')]).toEqual([eventId, second])

      const tooLate = v3(`/rooms/${enc(room.body.room_id as string)}/send/m.room.message/3`)
      expect((await as('PUT', tooLate, { query: { ...asBob, ts: 2 ** 53 }, body })).status).toBe(400)
      const wrong = v3(`/rooms/${enc(room.body.room_id as string)}/send/m.room.message/2`)
      expect((await as('PUT', wrong, { query: { ...asBob, ts: -1 }, body })).status).toBe(400)

      // MSC4190: devices without a log-in, and without a confirmation by the user.
      const device = v3('/devices/BRIDGE')
      expect((await as('PUT', device, { query: asBob, body: { display_name: 'Bridge' } })).status).toBe(201)
      for (const name of ['device_id', 'org.matrix.msc3202.device_id']) {
        const whoami = await as('GET', v3('/account/whoami'), { query: { ...asBob, [name]: 'BRIDGE' } })
        expect(whoami.body).toMatchObject({ user_id: bob, device_id: 'BRIDGE' })
      }
      const unknown = await as('GET', v3('/account/whoami'), { query: { ...asBob, device_id: 'NONE' } })
      expect([unknown.status, unknown.body.errcode]).toEqual([400, 'M_UNKNOWN_DEVICE'])
      const keys = { query: { ...asBob, device_id: 'BRIDGE' }, body: { one_time_keys: {} } }
      expect((await as('POST', v3('/keys/upload'), keys)).status).toBe(200)
      expect((await as('DELETE', device, { query: asBob, body: {} })).status).toBe(200)

      const alice = await register(node.url, 'alice')
      const other = await as('GET', v3('/account/whoami'), { query: { user_id: alice.userId } })
      expect([other.status, other.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
      const sent = await as('PUT', path, { query: { user_id: alice.userId }, body })
      expect([sent.status, sent.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
      const taken = await call(node.url, 'POST', v3('/register'), {
        body: { username: 'bridged_x', password: 'a good password' },
      })
      expect([taken.status, taken.body.errcode]).toEqual([400, 'M_EXCLUSIVE'])
    },
    PATIENCE,
  )

  it(
    'is held to rate limits as its users where its registration says so, and never as itself',
    async () => {
      const config = { rate_limits: { enabled: true, message: { per_second: 0.001, burst: 2 } } }
      for (const limited of [true, false]) {
        const { as, node } = await start({ rate_limited: limited }, { config })
        const type = 'm.login.application_service'
        await as('POST', v3('/register'), { body: { type, username: 'bridged_bob', inhibit_login: true } })
        const statuses = async (query: CallOptions['query']): Promise<number[]> => {
          const { body } = await as('POST', v3('/createRoom'), { query: query ?? {}, body: {} })
          const list: number[] = []
          for (let i = 0; i < 4; i++) {
            const path = v3(`/rooms/${enc(body.room_id as string)}/send/m.room.message/${i}`)
            list.push(
              (await as('PUT', path, { query: query ?? {}, body: { msgtype: 'm.text', body: 'x' } })).status,
            )
          }
          return list
        }
        expect(await statuses({})).toEqual([200, 200, 200, 200])
        const bob = { user_id: `@bridged_bob:${node.serverName}` }
        expect(await statuses(bob)).toEqual(limited ? [200, 200, 429, 429] : [200, 200, 200, 200])
      }
    },
    PATIENCE,
  )

  it(
    'is told of an invite from another server with what the room is, and of everything there once its user has joined',
    async () => {
      const authority = testAuthority()
      const bridged = await start({}, { authority })
      const { bridge, bot } = bridged
      const other = await startNode({ authority })
      opened.push(other)
      const mary = await register(other.url, 'mary')
      const roomId = await createRoom(mary, { name: 'Far away', invite: [bot] })
      // oxlint-disable-next-line typescript/no-explicit-any
      const events = (): any[] => bridge.taken.flatMap(({ body }) => body.events)
      await bridge.until(() => events().length > 0, 'the invite')
      const invite = events()[0]
      expect(invite).toMatchObject({
        type: 'm.room.member',
        room_id: roomId,
        state_key: bot,
        sender: mary.userId,
        event_id: expect.stringMatching(/^\$/),
        content: { membership: 'invite' },
      })
      expect(JSON.stringify(invite.unsigned.invite_room_state)).toContain('Far away')
      await joinAsBot(bridged, roomId)
      await bridge.until(() => events().some((event) => event.content.membership === 'join'), 'its own join')
      await mary.ok('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/1`), {
        msgtype: 'm.text',
        body: 'hello',
      })
      await bridge.until(() => messages(bridge).includes('hello'), 'the message')
    },
    PATIENCE,
  )
})
