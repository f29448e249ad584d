import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { authEventKeys } from '../../core/auth/auth-event-keys.js'
import { buildEvent } from '../../core/event/build.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { JsonObject } from '../../core/json/value.js'
import { applyEvents } from '../replication/history/apply-events.js'
import { addNode, createNetwork, type TestNode } from '../replication/testing/network.js'
import { readState } from './context.js'
import { resolveRoots } from './resolve-roots.js'
import { eventsByNids } from './working-room.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:a.example'
const CAROL = '@carol:a.example'
const USERS = [ALICE, BOB, CAROL]

interface Step {
  readonly branch: number
  readonly sender: number
  readonly kind: 'leaf' | 'topic' | 'levels' | 'ban' | 'join' | 'rules' | 'merge'
  readonly key: number
  readonly target: number
  readonly ts: number
}

const leaf = fc.constant<Step['kind']>('leaf')
const step: fc.Arbitrary<Step> = fc.record({
  branch: fc.nat(2),
  sender: fc.nat(2),
  kind: fc.oneof(
    { weight: 24, arbitrary: leaf },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Step['kind']>('topic', 'levels', 'ban', 'join', 'rules', 'merge'),
    },
  ),
  key: fc.nat(6),
  target: fc.nat(2),
  ts: fc.nat(30),
})

const contentOf = ({
  kind,
  key,
  target,
  sender,
}: Step): { type: string; stateKey: string; content: JsonObject } => {
  if (kind === 'topic') return { type: 'm.room.topic', stateKey: '', content: { topic: `${key}` } }
  if (kind === 'rules')
    return { type: 'm.room.join_rules', stateKey: '', content: { join_rule: key > 3 ? 'invite' : 'public' } }
  if (kind === 'ban')
    return {
      type: 'm.room.member',
      stateKey: USERS[target]!,
      content: { membership: key > 3 ? 'ban' : 'leave' },
    }
  if (kind === 'join')
    return {
      type: 'm.room.member',
      stateKey: USERS[sender]!,
      content: { membership: 'join', displayname: `${key}` },
    }
  if (kind === 'levels')
    return {
      type: 'm.room.power_levels',
      stateKey: '',
      content: { state_default: key > 4 ? 100 : 50, users: { [BOB]: 50 + target, [CAROL]: key * 10 } },
    }
  return { type: `org.example.${key % 2}`, stateKey: `${key}`, content: { key } }
}

let counter = 0

interface Tip {
  event: RoomEvent
}

/** Plays the steps on three branches of a room, and compares the state after each with what is resolved from the beginning. Gives how many were steps. */
async function play(node: TestNode, version: string, steps: readonly Step[]): Promise<number> {
  const roomId = await node.createRoom(ALICE, { preset: 'public_chat', room_version: version })
  for (const user of [BOB, CAROL])
    await node.state(user, roomId, 'm.room.member', user, { membership: 'join' })
  const { context } = node
  if (Number(version) < 12) {
    const users = { [ALICE]: 100, [BOB]: 50, [CAROL]: 50 }
    await node.state(ALICE, roomId, 'm.room.power_levels', '', { users, state_default: 50 })
  } else await node.state(ALICE, roomId, 'm.room.power_levels', '', { users: { [BOB]: 50, [CAROL]: 50 } })
  const start = (await context.events.byId(await node.send(ALICE, roomId, 'start')))!.event
  const tips: Tip[] = [0, 1, 2].map(() => ({ event: start }))
  let taken = 0
  for (const one of steps) {
    const tip = tips[one.branch]!
    const made = contentOf(one)
    const users = (made.content['users'] ?? {}) as Record<string, number>
    const content =
      one.kind === 'levels' && Number(version) < 12
        ? { ...made.content, users: { ...users, [ALICE]: 100 } }
        : made.content
    const sender = one.kind === 'join' ? USERS[one.sender]! : one.kind === 'leaf' ? USERS[one.sender]! : ALICE
    const fields = { type: made.type, sender, stateKey: made.stateKey, content }
    const room = (await context.loader.load(roomId))!
    const root = (await context.events.byId(tip.event.id))!.stateAfter!
    const auth = await readState(context, room, authEventKeys(fields, start.rules), root)
    const prevs = one.kind === 'merge' ? [tip.event, tips[(one.branch + 1) % 3]!.event] : [tip.event]
    const onTheWire = start.rules.eventIds === 'on-the-wire'
    const event = buildEvent(
      {
        ...fields,
        eventId: onTheWire ? `$${String(counter++)}x:a.example` : undefined,
        referenceHashOf: () => undefined,
        roomId,
        depth: Math.max(...prevs.map(({ depth }) => depth)) + 1,
        originServerTs: 1_000 + one.ts,
        prevEvents: [...new Set(prevs.map(({ id }) => id))],
        authEvents: [...auth.values()].map((stored) => stored.event.id),
      },
      start.rules,
      { serverName: 'a.example', keyId: node.signer.keyId, sign: node.signer.sign },
    )
    await applyEvents(context, roomId, [
      { event, origin: 'a.example', stagedNid: undefined, peerState: undefined },
    ])
    const stored = await context.events.byId(event.id)
    if (stored?.stateAfter !== undefined && stored.rejected === undefined) tip.event = event
    await context.writer.write(roomId, async (working) => {
      taken += (working.resolutions[0]?.steps ?? 0) > 0 ? 1 : 0
      const heads = await eventsByNids(
        working,
        working.heads.map((head) => head.nid),
        context.local.readers,
      )
      const roots = [...heads.values()].flatMap((head) => head.stateAfter ?? [])
      const anew = await resolveRoots({ ...working, resolutions: [] }, roots, context.local)
      expect(working.root).toBe(anew)
    })
  }
  return taken
}

describe('a state that is resolved step by step', () => {
  it.each(Array.from({ length: 12 }, (_, i) => String(i + 1)))(
    'is what all of it resolves to, in room version %s',
    async (version) => {
      const network = createNetwork()
      const node = await addNode(network, 'a.example')
      let taken = 0
      try {
        await fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 25, maxLength: 40 }), async (steps) => {
            taken += await play(node, version, steps)
          }),
          // The same rooms each time, so that the floor below is no matter of luck.
          { numRuns: 5, seed: 100 + Number(version), endOnFailure: true },
        )
      } finally {
        await network.close()
      }
      expect(taken).toBeGreaterThan(5)
    },
  )

  it('costs no resolution of all for each event of a branch', async () => {
    const network = createNetwork()
    const node = await addNode(network, 'a.example')
    try {
      const one = (branch: number, key: number): Step => ({
        branch,
        sender: 0,
        kind: 'leaf',
        key,
        target: 0,
        ts: key,
      })
      const steps = [one(0, 0), ...Array.from({ length: 20 }, (_, key) => one(1, key + 1))]
      // Neither branch has anything to go by before its first event.
      expect(await play(node, '11', steps)).toBe(19)
    } finally {
      await network.close()
    }
  })
})
