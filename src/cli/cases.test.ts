import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startNodeIn, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Finished, type Workplace } from './testing.js'

let place: Workplace
let node: NodeUnderTest | undefined
const BOB = '@bob:ministry.example'

beforeAll(async () => {
  place = workplace()
  writeFileSync(
    join(place.folder, 'homeserver.yaml'),
    `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1, min_length: 1 }
registration: { enabled: true, flow: dummy }
audit: { enabled: true }
`,
  )
  await place.run(['generate-key'])
  await place.run(['register-user', '--user', 'bob'], { input: 'a good password\n' })
  node = await startNodeIn(place.folder)
  const alice = await node.call('POST', 'v3/register', undefined, {
    username: 'alice',
    password: 'a good password',
    auth: { type: 'm.login.dummy' },
  })
  const token = alice.body['access_token'] as string
  const path = `v3/users/${encodeURIComponent(BOB)}/report`
  expect((await node.call('POST', path, token, { reason: 'spam' })).status).toBe(200)
})
afterAll(async () => {
  await node?.close()
  place.remove()
})

const cases = (...args: string[]): Promise<Finished> => place.run(['cases', ...args])
const first = ({ out }: Finished): Record<string, unknown> =>
  JSON.parse(out.split('\n')[0]!) as Record<string, unknown>

describe('chancery cases', () => {
  it('lists what was reported, acts on it, and closes it, through the node and without it', async () => {
    expect(first(await cases('list'))).toMatchObject({ case_id: 1, state: 'open', user_id: BOB })
    expect((await cases('list', '--overdue')).out).toBe('')
    expect(first(await cases('act', '1', 'lock', '--reason', 'spam'))).toEqual({ user: BOB })
    expect((await cases('act', '1', 'redact')).err).toContain('names no event')
    expect((await cases('assign', '1', BOB)).err).toContain('no moderator')
    await node?.close()
    node = undefined
    expect(first(await cases('close', '1', 'upheld', '--reason', 'done'))).toMatchObject({
      state: 'closed',
      resolution: 'upheld',
      comment: 'done',
    })
    expect((await cases('list')).out).toBe('')
    expect((await cases('show', '2')).err).toContain('no such case')
    const { out } = await place.run(['audit', 'export', '--act', 'account.locked'])
    expect(out).toContain('"by":{"kind":"operator"}')
  })

  it('says what was called wrongly', async () => {
    for (const wrong of [
      ['close', '1', 'maybe'],
      ['act', '1', 'shout'],
      ['show', 'x'],
      ['shout', '1'],
    ])
      expect((await cases(...wrong)).code).toBe(2)
  })
})
