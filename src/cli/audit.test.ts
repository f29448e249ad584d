import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { chainEntry, GENESIS } from '../core/audit/entry.js'
import { SqliteDatabase } from '../storage/sqlite-driver.js'
import { startNodeIn, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Finished, type Workplace } from './testing.js'

let place: Workplace
let node: NodeUnderTest | undefined

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1, min_length: 1 }
audit: { enabled: true }
`

beforeEach(async () => {
  place = workplace()
  writeFileSync(join(place.folder, 'homeserver.yaml'), CONFIG)
  await place.run(['generate-key'])
  for (const name of ['alice', 'bob'])
    expect((await place.run(['register-user', '--user', name], { input: 'secret-word\n' })).code).toBe(0) // prettier-ignore
})
afterEach(async () => {
  await node?.close()
  node = undefined
  place.remove()
})

const audit = (...args: string[]): Promise<Finished> => place.run(['audit', ...args])

interface Line {
  readonly id: number
  readonly act: string
  readonly on?: string
  readonly outcome: string
}
const lines = ({ out }: Finished): Line[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

/** What somebody does who has the file of the database. */
function tamper(...statements: (string | ((database: InstanceType<typeof SqliteDatabase>) => void))[]): void {
  const database = new SqliteDatabase(join(place.folder, 'homeserver.db'))
  for (const name of ['log_never_changes', 'log_never_shrinks', 'head_stays', 'head_goes_on'])
    database.exec(`DROP TRIGGER audit_${name}`)
  for (const statement of statements)
    if (typeof statement === 'string') database.exec(statement)
    else statement(database)
  database.close()
}

describe('chancery audit', () => {
  it('writes out what was done, without any secret, and finds the log and the file whole', async () => {
    const exported = await audit('export')
    expect(lines(exported).map(({ act, outcome }) => `${act} ${outcome}`)).toEqual([
      'operator.called begun',
      'account.registered done',
      'operator.called done',
      'operator.called begun',
      'account.registered done',
      'operator.called done',
      'data.exported done',
    ])
    expect(exported.out).not.toContain('secret-word')
    writeFileSync(join(place.folder, 'audit.jsonl'), exported.out)
    expect((await audit('verify', '--file', 'audit.jsonl')).out).toContain('up to entry 7')
    expect(await audit('verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('whole: 7 entries') as unknown,
    })
    const rest = exported.out.slice(exported.out.indexOf('\n') + 1)
    writeFileSync(join(place.folder, 'audit.jsonl'), rest)
    expect((await audit('verify', '--file', 'audit.jsonl')).out).toContain(
      'from entry 2 on, and nothing from before',
    )
    writeFileSync(join(place.folder, 'audit.jsonl'), exported.out.replace('bob', 'eve'))
    expect(await audit('verify', '--file', 'audit.jsonl')).toMatchObject({
      code: 1,
      err: expect.stringContaining('entry 4 was changed') as unknown,
    })
  })

  it('picks acts, users and times, and shows the last entries', async () => {
    expect(lines(await audit('export', '--act', 'account.registered')).map(({ id }) => id)).toEqual([2, 5])
    expect(lines(await audit('export', '--user', '@bob:ministry.example')).map(({ id }) => id)).toEqual([5])
    expect(lines(await audit('export', '--since', '2999-01-01'))).toEqual([])
    const last = lines(await audit('tail', '--lines', '2')).map(({ id }) => id)
    expect(last.slice(0, 2)).toEqual([8, 9])
    for (const wrong of [
      ['--act', 'x'],
      ['--since', 'soon'],
      ['--from', '0'],
    ])
      expect((await audit('export', ...wrong)).code).toBe(2)
  })

  it('asks the node that runs', async () => {
    node = await startNodeIn(place.folder)
    await place.run(['set-admin', 'alice', 'on'])
    const { out, code } = await audit('tail')
    expect(code).toBe(0)
    expect(out).toContain('account.admin_granted')
    expect((await audit('verify')).code).toBe(0)
    expect((await audit('verify', '--against', 'other.example')).err).toContain('cannot be asked')
    expect((await audit('forget', 'other.example')).err).toContain('Nothing is kept')
  })

  it.each<[string, Parameters<typeof tamper>, string]>([
    [
      'an entry is edited',
      [`UPDATE audit_log SET entry = replace(entry, 'alice', 'eve') WHERE id = 2`],
      'entry 2 was changed',
    ],
    [
      'a hash is edited',
      [`UPDATE audit_log SET hash = '${'0'.repeat(64)}' WHERE id = 2`],
      'entry 2 was changed',
    ],
    ['an entry is deleted', ['DELETE FROM audit_log WHERE id = 3'], 'entry 3 is missing'],
    ['the first is deleted', ['DELETE FROM audit_log WHERE id = 1'], 'entry 1 is missing'],
    [
      'the numbers close up again',
      ['DELETE FROM audit_log WHERE id = 3', 'UPDATE audit_log SET id = id - 1 WHERE id > 3'],
      'entry 3 is not what the log writes',
    ],
    ['the end is cut off', ['DELETE FROM audit_log WHERE id > 4'], 'The end was cut off'],
    ['the log is emptied', ['DELETE FROM audit_log'], 'The end was cut off'],
    [
      'the beginning is cut off, and the record of it signed by nobody',
      [
        `INSERT INTO audit_cuts SELECT id, hash, '{}' FROM audit_log WHERE id = 2`,
        'DELETE FROM audit_log WHERE id < 3',
      ],
      'does not bear the signature of this server',
    ],
    [
      'an entry is put in',
      [`INSERT INTO audit_log SELECT id + 1, entry, hash FROM audit_log WHERE id = 6`],
      'entry 7 is not what the log writes',
    ],
    [
      'one is written anew and those after it stay',
      [
        (database) => {
          const before = database
            .prepare<[], { hash: string }>('SELECT hash FROM audit_log WHERE id = 1')
            .get()!
          const row = chainEntry(2, before.hash, 1, { act: 'session.ended', by: { kind: 'server' } })
          database.prepare('UPDATE audit_log SET entry = ?, hash = ? WHERE id = 2').run(row.entry, row.hash)
        },
      ],
      'entry 3 was changed',
    ],
    [
      'all are written anew and the head is not',
      [
        (database) => {
          let hash = GENESIS
          for (let id = 1; id <= 6; id++) {
            const row = chainEntry(id, hash, 1, { act: 'session.ended', by: { kind: 'server' } })
            database.prepare('UPDATE audit_log SET entry = ?, hash = ? WHERE id = ?').run(row.entry, row.hash, id) // prettier-ignore
            hash = row.hash
          }
        },
      ],
      'It was written anew',
    ],
  ])('finds out when %s', async (_name, changes, words) => {
    // prettier-ignore
    tamper(...changes)
    const { code, err } = await audit('verify')
    expect(err).toContain(words)
    expect(code).toBe(1)
  })
})
