import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { reportLines, statusLines } from './account.js'
import { startNodeIn, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Workplace } from './testing.js'

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
`
const OLD = '@ana:ministry.example'
const NEW = '@ana:interieur.example'

describe('chancery account', () => {
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

  it('says what is missing', async () => {
    for (const words of [
      [],
      ['go', 'send', 'ana'],
      ['move'],
      ['move', 'nowhere'],
      ['move', 'send', 'ana'],
      ['move', 'send', '--to', NEW],
      ['move', 'receive', 'ana', '--to', NEW],
      ['move', 'cancel'],
    ])
      expect(await place.run(['account', ...words])).toMatchObject({ code: 2 })
    expect(await place.run(['account', 'move', 'status'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('must run'),
    })
  })

  it('moves nobody on a node without a list of members', async () => {
    node = await startNodeIn(place.folder)
    expect(await place.run(['account', 'move', 'status'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('nobody moves'),
    })
    for (const words of [
      ['send', 'ana', '--to', NEW],
      ['receive', NEW, '--as', 'ana'],
    ])
      expect(await place.run(['account', 'move', ...words])).toMatchObject({
        code: 1,
        err: expect.stringContaining('list of nodes'),
      })
    expect(await place.run(['account', 'move', 'cancel', 'ana'])).toMatchObject({ code: 1 })
  })
})

describe('what is told of a move', () => {
  const report = {
    oldUser: OLD,
    newUser: NEW,
    rooms: 3,
    encrypted: 2,
    backup: undefined,
    devices: 2,
    outside: [{ roomId: '!a:x', name: 'Bud\u001b[2Jget', why: 'it is closed' }],
    powersBehind: [],
    replaced: [{ roomId: '!b:x', name: undefined }],
  }

  it('is what will stay behind, and cannot change the terminal', () => {
    const lines = reportLines(report).join('\n')
    for (const part of [
      'with 3 rooms, 2 of them encrypted',
      'THERE IS NO KEY BACKUP',
      '!a:x',
      'it is closed',
      '!b:x',
    ])
      expect(lines).toContain(part)
    expect(lines).not.toContain('\u001b')
    expect(lines).not.toContain('powers that stay behind')
    expect(reportLines({ ...report, encrypted: 0 }).join('\n')).not.toContain('THERE IS NO')
    const backup = { keys: 7, hasStoredSecret: true }
    expect(reportLines({ ...report, backup }).join('\n')).toContain(
      '7 keys goes along; the recovery key or passphrase',
    )
    const bare = { keys: 7, hasStoredSecret: false }
    expect(reportLines({ ...report, backup: bare }).join('\n')).toContain('its own recovery key')
  })

  it('is how far it is, and why the last try failed', () => {
    const status = {
      side: 'source' as const,
      oldUser: OLD,
      newUser: NEW,
      step: 'rooms',
      since: 0,
      notAfter: 0,
      failure: 'no connection',
      rooms: { moved: 2, left: 1 },
      remarks: [{ roomId: '!a:x', step: 'left', words: 'it is closed' }],
    }
    expect(statusLines(status)).toEqual([
      `${OLD} → ${NEW}, from here: the new account comes into the rooms`,
      '    until 1970-01-01T00:00:00.000Z; rooms: 2 moved, 1 left',
      '    the last try failed: "no connection"',
      '    !a:x: it is closed',
    ])
    expect(
      statusLines({ ...status, side: 'target', failure: undefined, rooms: {}, remarks: [] }),
    ).toHaveLength(2)
  })
})
