import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { buildEvent } from '../../../core/event/build.js'
import type { RoomEvent } from '../../../core/event/types.js'
import type { JsonObject } from '../../../core/json/value.js'
import { addNode, createNetwork, type Network, type TestNode } from '../testing/network.js'
import { applyEvents, type ToApply } from './apply-events.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'

let network: Network
let a: TestNode
let b: TestNode
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
})
afterEach(() => network.close())

/** A message, and the redaction of it on another branch, beside other messages; none of them was sent. */
async function onTwoBranches(
  version: string,
): Promise<{ roomId: string; said: RoomEvent; redaction: RoomEvent }> {
  const roomId = await a.createRoom(ALICE, { preset: 'public_chat', room_version: version })
  await b.join(BOB, roomId, 'a.example')
  const last = (await a.context.events.byId(await a.send(ALICE, roomId, 'before')))!.event
  await network.settle()
  const build = (type: string, content: JsonObject, redacts?: string): RoomEvent =>
    buildEvent(
      {
        type,
        sender: ALICE,
        content,
        roomId,
        depth: last.depth + 1,
        originServerTs: last.originServerTs,
        prevEvents: [last.id],
        authEvents: last.authEvents,
        ...(redacts === undefined ? {} : { redacts }),
      },
      last.rules,
      { serverName: 'a.example', keyId: a.signer.keyId, sign: a.signer.sign },
    )
  const said = build('m.room.message', { msgtype: 'm.text', body: 'said' })
  return { roomId, said, redaction: build('m.room.redaction', {}, said.id) }
}

const item = (event: RoomEvent): ToApply => ({
  event,
  origin: 'a.example',
  stagedNid: undefined,
  peerState: undefined,
})

describe.each(['10', '12'])(
  'in a room of version %s a redaction that comes before what it redacts',
  (version) => {
    it('takes effect when that comes later', async () => {
      const { roomId, said, redaction } = await onTwoBranches(version)
      await applyEvents(b.context, roomId, [item(redaction)])
      await applyEvents(b.context, roomId, [item(said)])
      const stored = (await b.context.events.byId(said.id))!
      expect(stored.event.content).toEqual({})
      expect(stored.redactedBy).toBe((await b.context.events.byId(redaction.id))!.nid)
    })

    it('takes effect where both are written together', async () => {
      const { roomId, said, redaction } = await onTwoBranches(version)
      const applied = await applyEvents(b.context, roomId, [item(redaction), item(said)])
      expect(applied.map(({ ok }) => ok)).toEqual([true, true])
      const stored = (await b.context.events.byId(said.id))!
      expect(stored.event.content).toEqual({})
      expect(stored.redactedBy).toBe((await b.context.events.byId(redaction.id))!.nid)
    })
  },
)
