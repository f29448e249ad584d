import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { readWalk, walkText, type Waiting, type Walk } from './walk-text.js'
import { createWalks } from './walks.js'

const ALICE = '@alice:ours.example'
const waitingRoom = (roomId: string, told?: Waiting['told']): Waiting => ({
  roomId,
  via: ['a.example', 'b.example'],
  depth: 2,
  told,
})
const told = (roomId: string, topic = ''): Waiting['told'] => ({
  entry: { room_id: roomId, topic },
  facts: { roomId, joinRule: 'public', allowedRoomIds: [], worldReadable: false },
})
const walk = (over: Partial<Walk> = {}): Walk => ({
  roomId: '!root:ours.example',
  suggestedOnly: true,
  maxDepth: 7,
  waiting: [
    waitingRoom('!last:x', told('!last:x')),
    waitingRoom('!then:x', 'hidden'),
    waitingRoom('!next:x'),
  ],
  seen: new Set(['!root:ours.example', '!seen:x']),
  lookedFor: 3,
  ...over,
})

describe('the text of a walk', () => {
  it('says all that is needed to go on', () => {
    expect(readWalk(walkText(walk()))).toEqual(walk())
  })

  it('leaves out what was shown already', () => {
    const again = walk({ waiting: [waitingRoom('!seen:x'), waitingRoom('!next:x')] })
    expect(readWalk(walkText(again)).waiting.map(({ roomId }) => roomId)).toEqual(['!next:x'])
  })

  it('is bounded whatever other servers say: first their words go, then the rooms farthest off', () => {
    const long = 'x'.repeat(8_000)
    const wordy = Array.from({ length: 3_000 }, (_, i) => waitingRoom(`!r${i}:x`, told(`!r${i}:x`, long)))
    const text = walkText(walk({ waiting: wordy }))
    expect(text.length).toBeLessThan(1_100_000)
    const { waiting } = readWalk(text)
    expect(waiting.map(({ roomId }) => roomId)).toEqual(wordy.map(({ roomId }) => roomId))
    expect(waiting.at(-1)?.told).toEqual(told('!r2999:x', long))
    expect(waiting[0]?.told).toBeUndefined()

    const far = Array.from({ length: 3_000 }, (_, i) => ({
      ...waitingRoom(`!${'r'.repeat(240)}${i}:x`),
      via: Array.from({ length: 20 }, (__, j) => `${'v'.repeat(200)}${j}.example`),
    }))
    const short = walkText(walk({ waiting: far }))
    expect(short.length).toBeLessThan(1_200_000)
    expect(readWalk(short).waiting.at(-1)?.roomId).toBe(far.at(-1)?.roomId)
    expect(readWalk(short).waiting.length).toBeGreaterThan(500)
  })
})

describe('pages to come', () => {
  let store: Store
  beforeAll(async () => {
    store = await openTestStore()
  })
  afterAll(() => store.close())

  it('outlast the process, are the user’s own, and end after a quarter of an hour', async () => {
    const clock = manualClock(1_000)
    const deps = { store, clock, random: systemRandom }
    const token = await createWalks(deps).put(ALICE, walk())
    const later = createWalks(deps)
    expect(await later.get(ALICE, token)).toEqual(walk())
    expect(await later.get(ALICE, token)).toEqual(walk())
    expect(await later.get('@bob:ours.example', token)).toBeUndefined()
    expect(await later.get(ALICE, `${token}x`)).toBeUndefined()
    clock.advance(15 * 60_000 - 1)
    await later.prune()
    expect(await later.get(ALICE, token)).toEqual(walk())
    clock.advance(1)
    expect(await later.get(ALICE, token)).toBeUndefined()
    await later.prune()
    clock.advance(-60_000)
    expect(await later.get(ALICE, token)).toBeUndefined()
  })

  it('are few for each user: the oldest make way', async () => {
    const clock = manualClock(1_000_000)
    const walks = createWalks({ store, clock, random: systemRandom })
    const other = await walks.put('@bob:ours.example', walk())
    const tokens: string[] = []
    for (let i = 0; i < 12; i++) {
      tokens.push(await walks.put(ALICE, walk({ lookedFor: i })))
      clock.advance(1)
    }
    const left = await Promise.all(tokens.map((token) => walks.get(ALICE, token)))
    expect(left.map((one) => one?.lookedFor)).toEqual([...Array(4).fill(undefined), 4, 5, 6, 7, 8, 9, 10, 11])
    expect(await walks.get('@bob:ours.example', other)).toEqual(walk())
  })
})
