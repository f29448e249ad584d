import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { comparisonLines, healingLines } from './room.js'
import { startNodeIn, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Workplace } from './testing.js'

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
`
const ROOM = '!nowhere:ministry.example'

describe('chancery room', () => {
  let place: Workplace
  let node: NodeUnderTest | undefined
  beforeEach(async () => {
    place = workplace()
    writeFileSync(join(place.folder, 'homeserver.yaml'), CONFIG)
    await place.run(['generate-key'])
  })
  afterEach(async () => {
    await node?.close()
    node = undefined
    place.remove()
  })

  it('asks the running node, and says what that answers', async () => {
    node = await startNodeIn(place.folder)
    const unknown = 'Nobody of this server is in such a room'
    expect(await place.run(['room', 'heal', ROOM])).toMatchObject({
      code: 1,
      err: expect.stringContaining(unknown),
    })
    expect(await place.run(['room', 'compare-state', ROOM, 'other.example'])).toMatchObject({
      code: 1,
      err: expect.stringContaining(unknown),
    })
    expect(await place.run(['room', 'compare-state', ROOM, 'ministry.example'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('this server itself'),
    })
    expect(await place.run(['room', 'compare-state', ROOM, 'no server'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('no server name'),
    })
  })

  it('needs a node that runs, and the right words', async () => {
    expect(await place.run(['room', 'heal', ROOM])).toMatchObject({
      code: 1,
      err: expect.stringContaining('it must run'),
    })
    for (const words of [['heal'], ['mend', ROOM], ['compare-state', ROOM], ['heal', ROOM, 'other.example']])
      expect(await place.run(['room', ...words])).toMatchObject({ code: 2 })
  })
})

describe('what the command says', () => {
  it('of a room that is the same', () => {
    const points = [{ head: '$b', known: true, differences: [], more: 0 }]
    expect(
      comparisonLines({
        server: 'b.example',
        ourHeads: ['$a', '$b'],
        theirHeads: ['$b', '$a'],
        unknown: [],
        points,
      }),
    ).toEqual([
      'the latest events are the same here and on b.example: $a $b',
      'the state before $b is the same',
    ])
  })

  it('of one that is not, without what would confuse a terminal', () => {
    const differences = [{ type: 'm.room.topic\u001b[2J', stateKey: '', ours: undefined, theirs: '$t' }]
    const points = [{ head: '$b', known: false, differences, more: 7 }]
    const lines = comparisonLines({
      server: 'b.example',
      ourHeads: ['$a'],
      theirHeads: ['$b'],
      unknown: ['$b'],
      points,
    })
    expect(lines).toEqual([
      'the latest events here are $a; on b.example they are $b',
      'unknown here: $b',
      'the state before $b, compared with the present one here, differs:',
      '    m.room.topic\\u001b[2J "": here nothing, there $t',
      '    and 7 more',
    ])
  })

  it('of a healing', () => {
    const servers = [
      { server: 'b.example', brought: 1, changes: 2, failure: undefined },
      { server: 'c.example', brought: 0, changes: 0, failure: 'no connection' },
    ]
    expect(healingLines({ servers, heads: 1 })).toEqual([
      'b.example: 1 latest events were missing here and came; 2 changes of the state',
      'c.example did not help: no connection',
      'the room has 1 latest event now',
    ])
    expect(healingLines({ servers: [], heads: 2 })[0]).toBe('no other server is in the room')
  })
})
