import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { createSigner, generateSigningKey } from '../../../platform/ed25519.js'
import { silentLogger } from '../../../platform/logger.js'
import { systemRandom } from '../../../platform/random.js'
import type { FederationClient } from '../../federation/client.js'
import { createPduIntake } from '../peers/pdu-intake.js'
import { bigRoom } from '../testing/big-room.js'
import { as, createWorld, type World } from '../testing/handshakes.js'
import { createJoin } from './join.js'

const HOSTILE = ['h1.example', 'h2.example', 'h3.example']
const WINDOW = 400

let world: World
afterEach(() => world.close())

it.each([
  ['a byte a second', 2_000, 20],
  ['what does while nobody waits', 200_000, 20],
  ['nothing after the headers', 0, 0],
])('three servers whose answers bring %s do not keep others from joining', async (_, bytes, ms) => {
  world = createWorld()
  const a = await world.node('a.example')
  const b = await world.node('b.example')
  const { room_id: honest } = await a.creation.create(as('@ana:a.example'), { preset: 'public_chat' })
  const key = createSigner(generateSigningKey(systemRandom))
  const rooms = HOSTILE.flatMap((serverName) =>
    [1, 2].map((n) => {
      const room = bigRoom([{ serverName, keyId: key.keyId, sign: key.sign }], 1, 0, `slow${n}`)
      return { serverName, room }
    }),
  )
  let under = 0
  async function* drip(): AsyncGenerator<Buffer> {
    under++
    yield Buffer.from('{')
    while (ms > 0) {
      await pause(ms)
      // About 50 pieces in a second.
      yield Buffer.alloc(Math.max(1, Math.floor(bytes / 50)), 0x20)
    }
    await pause(60_000, undefined, { ref: false })
  }
  const client: Pick<FederationClient, 'request' | 'requestStream'> = {
    async request(request) {
      const slow = rooms.find(({ room }) => request.path.includes(encodeURIComponent(room.roomId)))
      return slow === undefined
        ? b.client.request(request)
        : (slow.room.template('@bo:b.example') as JsonObject)
    },
    async requestStream(request) {
      const slow = rooms.some(({ room }) => request.path.includes(encodeURIComponent(room.roomId)))
      if (!slow) return b.client.requestStream(request)
      return { status: 200, headers: new Map(), body: Readable.from(drip(), { objectMode: false }) }
    },
  }
  const join = createJoin({
    context: b.context,
    client,
    keys: b.keys,
    intake: createPduIntake({ keys: b.keys, logger: silentLogger }),
    outside: b.outside,
    options: { paceWindowMs: WINDOW },
  })
  const slow = rooms.map(({ serverName, room }) =>
    join('@bo:b.example', room.roomId, [serverName], { membership: 'join' }).then(
      () => 'joined',
      () => 'refused',
    ),
  )
  while (under < 6) await pause(10)
  const began = performance.now()
  await join('@bo:b.example', honest, ['a.example'], { membership: 'join' })
  expect(performance.now() - began).toBeLessThan(WINDOW * 10)
  expect((await b.membership(honest, '@bo:b.example'))?.membership).toBe('join')
  if (bytes * (WINDOW / 1_000) < 1_000) expect(new Set(await Promise.all(slow))).toEqual(new Set(['refused']))
})
