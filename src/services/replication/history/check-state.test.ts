import { describe, expect, it } from '@jest/globals'
import type { RoomEvent } from '../../../core/event/types.js'
import { createSigner, generateSigningKey } from '../../../platform/ed25519.js'
import { systemRandom } from '../../../platform/random.js'
import { checkForeignState, inAuthOrder } from './check-state.js'
import { bigRoom } from '../testing/big-room.js'

const key = createSigner(generateSigningKey(systemRandom))
const room = bigRoom([{ serverName: 'x.example', keyId: key.keyId, sign: key.sign }], 20, 2)
const rules = room.state[0]!.rules
const never = (): boolean => false
const check = (state: readonly RoomEvent[], authChain: readonly RoomEvent[], known = new Map()) =>
  checkForeignState({ rules, roomId: room.roomId, state, authChain, known }, { verifySignature: never })
const shuffled = <T>(list: readonly T[]): T[] => list.toSorted(() => (systemRandom.bytes(1)[0]! % 3) - 1)

describe('a state that a peer hands over', () => {
  it('is judged in auth order, whatever order it came in', async () => {
    for (let i = 0; i < 5; i++) {
      const { events, rejected, state } = await check(shuffled(room.state), shuffled(room.authChain))
      expect(rejected.size).toBe(0)
      expect(state).toHaveLength(room.state.length)
      const place = new Map(events.map((event, at) => [event.id, at]))
      for (const event of events) {
        for (const id of event.authEvents) expect(place.get(id)!).toBeLessThan(place.get(event.id)!)
      }
    }
  })

  it('rejects what the auth rules refuse, and what rests on it', async () => {
    const member = room.state.at(-1)!
    const chain = room.authChain.filter((event) => event.stateKey === member.stateKey)
    // The first join of one member becomes a join on somebody else's behalf.
    const forged = { ...chain[0]!, stateKey: '@other:x.example' }
    const authChain = room.authChain.map((event) => (event.id === forged.id ? forged : event))
    const { rejected, state } = await check(room.state, authChain)
    expect([...rejected.keys()].sort()).toEqual([...chain.map((event) => event.id), member.id].sort())
    expect(state.map((event) => event.id)).not.toContain(member.id)
    expect(state).toHaveLength(room.state.length - 1)
  })

  it('leaves out what rests on events that are missing, without a verdict', async () => {
    const member = room.state.at(-1)!
    const gone = room.authChain.filter((event) => event.stateKey !== member.stateKey)
    const { rejected, state, events } = await check(room.state, gone)
    expect(rejected.size).toBe(0)
    expect(events.map((event) => event.id)).not.toContain(member.id)
    expect(state).toHaveLength(room.state.length - 1)
    const known = new Map(room.authChain.map((event) => [event.id, { event, rejected: false }]))
    expect((await check(room.state, gone, known)).state).toHaveLength(room.state.length)
  })

  it('keeps the verdicts of before', async () => {
    const [create] = room.state
    const known = new Map([[create!.id, { event: create!, rejected: true }]])
    await expect(check(room.state, room.authChain, known)).rejects.toMatchObject({ kind: 'bad-response' })
  })

  it('ends where events refer to each other in a circle', async () => {
    const [one, two] = [room.state[4]!, room.state[5]!]
    const events = new Map([
      [one.id, { ...one, authEvents: [two.id] }],
      [two.id, { ...two, authEvents: [one.id] }],
      [room.state[0]!.id, room.state[0]!],
    ])
    expect((await inAuthOrder(events, undefined)).map((event) => event.id)).toEqual([room.state[0]!.id])
  })
})
