import { afterEach, expect, it } from '@jest/globals'
import { longestTurn } from '../../../platform/testing-turns.js'
import { createSigner, generateSigningKey } from '../../../platform/ed25519.js'
import { systemRandom } from '../../../platform/random.js'
import { bigRoom } from '../testing/big-room.js'
import { as, createWorld, type World } from '../testing/handshakes.js'

/** `CHANCERY_BIG_JOIN=10000x4` measures a room of 10,000 members whose state rests on 40,000 further events. */
const [MEMBERS = 2_000, CHANGES = 1] = (process.env['CHANCERY_BIG_JOIN'] ?? '2000x1').split('x').map(Number)

let world: World
afterEach(() => world.close())

it(`joins a room of ${MEMBERS} members in time, and lets other work run meanwhile`, async () => {
  world = createWorld()
  const b = await world.node('b.example')
  const signers = ['big.example', 'm1.example', 'm2.example', 'm3.example', 'm4.example'].map(
    (serverName) => {
      const key = createSigner(generateSigningKey(systemRandom))
      world.strangers.set(serverName, key)
      return { serverName, keyId: key.keyId, sign: key.sign }
    },
  )
  const room = bigRoom(signers, MEMBERS, CHANGES)
  const answer = JSON.stringify({
    state: room.state.map((event) => event.pdu),
    auth_chain: room.authChain.map((event) => event.pdu),
  })
  world.intercept = (request) =>
    Promise.resolve(
      request.path.includes('/make_join/') ? JSON.stringify(room.template('@bo:b.example')) : answer,
    )
  const began = performance.now()
  const cpu = process.cpuUsage()
  const longest = await longestTurn(() =>
    b.memberships.join(as('@bo:b.example'), { room: room.roomId, via: ['big.example'] }),
  )
  const { user, system } = process.cpuUsage(cpu)
  const cpuMs = (user + system) / 1000
  if (process.env['CHANCERY_BIG_JOIN'] !== undefined) {
    process.stderr.write(
      `${room.authChain.length + MEMBERS} events, ${answer.length >> 20} MiB: ${Math.round(performance.now() - began)} ms, CPU ${Math.round(cpuMs)} ms, longest turn ${Math.round(longest)} ms, RSS ${process.memoryUsage().rss >> 20} MiB\n`,
    )
  }
  expect((await b.state(room.roomId)).size).toBe(MEMBERS + 5)
  const { servers, local } = await b.context.rosters.of((await b.context.loader.load(room.roomId))!.nid)
  expect([...servers.values()].reduce((sum, users) => sum + users, 0)).toBe(MEMBERS + 1)
  expect([...local]).toEqual(['@bo:b.example'])
  // Ten times what it takes here: a slow machine must not fail it, a quadratic step must.
  expect(cpuMs).toBeLessThan(20_000)
  expect(longest).toBeLessThan(1_000)
})
