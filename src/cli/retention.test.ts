import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { holdLine, purgeLine } from './retention.js'
import { startNodeIn, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Workplace } from './testing.js'

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
retention: { enabled: true }
`
const ROOM = '!room:ministry.example'

describe('chancery retention', () => {
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

  it('sets and lifts holds on a running node, and says what is held', async () => {
    node = await startNodeIn(place.folder)
    expect(await place.run(['retention', 'hold', ROOM, '--reason', 'case 17'])).toMatchObject({ code: 0 })
    expect(
      await place.run(['retention', 'hold', '@ana:ministry.example', '--reason', 'case 17']),
    ).toMatchObject({ code: 0 })
    expect(await place.run(['retention', 'hold', ROOM, '--reason', 'again'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('held already'),
    })
    const { out } = await place.run(['retention', 'holds'])
    expect(out).toContain(`room ${ROOM}`)
    expect(out).toContain('user @ana:ministry.example')
    expect(out).toContain('by operator: "case 17"')
    expect(await place.run(['retention', 'lift', ROOM])).toMatchObject({ code: 0 })
    expect(await place.run(['retention', 'lift', ROOM])).toMatchObject({ code: 1 })
    expect((await place.run(['retention', 'holds'])).out).not.toContain(ROOM)
    expect(await place.run(['retention', 'purge'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('purged: 0 messages'),
    })
    expect(await place.run(['retention', 'records'])).toMatchObject({ code: 0 })
  })

  it('needs a reason, an id, and a node that runs', async () => {
    for (const words of [['hold', ROOM], ['hold', 'room', '--reason', 'x'], ['lift'], ['nothing']])
      expect(await place.run(['retention', ...words])).toMatchObject({ code: 2 })
    expect(await place.run(['retention', 'holds'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('must run'),
    })
  })

  it('prints nothing that a terminal would act on', () => {
    const hold = { kind: 'room', target: ROOM, reason: 'a\u001b[2J', set_by: 'operator', since: 0 }
    expect(holdLine(hold)).not.toContain('\u001b')
    const line = purgeLine({ id: 1, record: '{"a":1}', receipts: [{ server: 'b.example', receipt: null }] })
    expect(JSON.parse(line)).toEqual({
      id: 1,
      record: { a: 1 },
      receipts: [{ server: 'b.example', receipt: null }],
    })
  })
})
