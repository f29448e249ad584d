import { createServer, type Server } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type * as ClientModule from './client.js'
import type * as PatienceModule from './patience.js'
import { collect } from '../../scripts/spec-tests/results.mjs'
import { text } from '../../scripts/spec-tests/text.mjs'
import { readWaits } from '../../scripts/spec-tests/waits.mjs'

const VERSIONS = '/_matrix/client/versions'
let folder: string
let server: Server
let url: string
/** What the server answers next; 200 after that. */
let limits: object[] = []
let client: typeof ClientModule
let patience: typeof PatienceModule

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-patience-'))
  server = createServer((_request, response) => {
    const limit = limits.shift()
    response.setHeader('content-type', 'application/json')
    response.statusCode = limit === undefined ? 200 : 429
    response.end(JSON.stringify(limit ?? { versions: ['v1.1'] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.env['SPEC_TESTS_HOMESERVER'] = url
  process.env['SPEC_TESTS_PATIENCE'] = '60'
  process.env['SPEC_TESTS_WAITS'] = join(folder, 'waits')
  // Both read the environment when they are loaded.
  patience = await import('./patience.js')
  client = await import('./client.js')
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

const limit = (ms: number): object => ({ errcode: 'M_LIMIT_EXCEEDED', error: 'later', retry_after_ms: ms })

describe('a server that limits the rate of requests', () => {
  it('is asked again when it says so, as often as it says so', async () => {
    limits = [limit(1), limit(2), limit(0)]
    expect((await client.call(url, 'GET', VERSIONS)).status).toBe(200)
    expect(limits).toEqual([])
    expect(readWaits(join(folder, 'waits'))?.most.map(([request]) => request)).toEqual([`GET ${VERSIONS}`])
  })

  it('is not waited for longer than is allowed, and the test says which request that was', async () => {
    limits = [limit(1), limit(3_600_000)]
    const refused = client.call(url, 'GET', VERSIONS)
    await expect(refused).rejects.toBeInstanceOf(patience.LimitedError)
    await expect(refused).rejects.toThrow(`GET ${VERSIONS}`)
    await expect(refused).rejects.toThrow('3601 s')
  })

  it('may say it in its body or in a header, and otherwise is left alone for a second', () => {
    expect(patience.askedPause(null, { retry_after_ms: 250 })).toBe(250)
    expect(patience.askedPause('7', { retry_after_ms: -1 })).toBe(7_000)
    expect(patience.askedPause('soon', 'text')).toBe(1_000)
    expect(patience.askedPause(null, null)).toBe(1_000)
  })
})

describe('the report', () => {
  const result = (title: string, status: string, message?: string): object => ({
    ancestorTitles: ['Typing', 'setTyping PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}'],
    title,
    status,
    failureMessages: message === undefined ? [] : [message],
  })
  const results = collect({
    testResults: [
      {
        assertionResults: [
          result('success: tells', 'passed'),
          result('error: wants', 'failed', 'LimitedError: the server limits the rate of POST /x'),
          result('error: refuses', 'failed', 'Error: no'),
        ],
      },
    ],
  })

  it('tells what a limit cut short from what failed', () => {
    expect(results.operations[0]?.tests.map(({ outcome }) => outcome)).toEqual([
      'passed',
      'limited',
      'failed',
    ])
    const told = text(results, [])
    expect(told).toContain('Typing: 1 of 3 tests say nothing')
    expect(told).toContain('1 passed, 1 failed, 1 cut short by limits of the rate, 0 skipped')
  })

  it('names what was waited for, and what the server is without', () => {
    const told = text(results, [], {
      waited: { seconds: 90, most: [['POST /x', 80]] },
      without: ['presence'],
    })
    expect(told).toContain('90 s in all\n  80 s for POST /x')
    expect(told).toContain('without: presence')
  })
})
