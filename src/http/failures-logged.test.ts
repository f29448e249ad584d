import { afterEach, describe, expect, it } from '@jest/globals'
import { MatrixError } from '../core/errors.js'
import { manualClock } from '../platform/clock.js'
import { createLogger } from '../platform/logger.js'
import { StorageError, StorageFull } from '../storage/errors.js'
import { route } from './route.js'
import { startTestServer, type TestServer } from './testing.js'

let server: TestServer
afterEach(() => server.close())

const clock = manualClock()
let lines: Record<string, unknown>[]
let failing: () => Error

async function start(): Promise<void> {
  lines = []
  server = await startTestServer(
    [
      route({
        id: 'fails',
        method: 'GET',
        paths: ['/fails'],
        auth: 'none',
        handler: () => Promise.reject(failing()),
      }),
    ],
    {},
    { clock, logger: createLogger({ level: 'info', write: (line) => lines.push(JSON.parse(line)) }) },
  )
}

/** Lines of the log but those of every request, and the status that each call was answered with. */
async function failTimes(times: number): Promise<number[]> {
  const statuses: number[] = []
  for (let i = 0; i < times; i++) statuses.push((await server.request('GET', '/fails')).status)
  return statuses
}
const told = (): readonly Record<string, unknown>[] => lines.filter(({ msg }) => msg !== 'request')

describe('the log', () => {
  it.each([502, 504])(
    'warns of another server that fails (%d), without a stack, each time',
    async (status) => {
      await start()
      failing = () => new MatrixError('M_UNKNOWN', 'elsewhere.example does not answer', {}, status)
      expect(await failTimes(2)).toEqual([status, status])
      expect(told()).toHaveLength(2)
      const [line] = told()
      expect(line).toMatchObject({
        level: 'warn',
        msg: 'another server failed',
        status,
        path: '/fails',
        reason: 'elsewhere.example does not answer',
      })
      expect(line!['requestId']).toEqual(lines.find(({ msg }) => msg === 'request')!['requestId'])
      expect(JSON.stringify(line)).not.toContain('    at ')
    },
  )

  it.each([
    ['is full', (): Error => new StorageFull(new Error('database or disk is full')), 507],
    ['fails', (): Error => new StorageError('io', 'disk I/O error'), 503],
  ])(
    'tells once a minute of a disk that %s, and all the while answers every request',
    async (_what, error, status) => {
      await start()
      failing = error
      clock.advance(3_600_000)
      expect(await failTimes(5)).toEqual(Array.from({ length: 5 }, () => status))
      expect(told().map(({ level, msg }) => [level, msg])).toEqual([['error', 'request failed']])
      clock.advance(59_999)
      await failTimes(2)
      expect(told()).toHaveLength(1)
      clock.advance(1)
      await failTimes(2)
      expect(told()).toHaveLength(2)
    },
  )

  it('tells of a disk that fails though it has just told of one that is full', async () => {
    await start()
    clock.advance(3_600_000)
    failing = () => new StorageFull(new Error('full'))
    await failTimes(1)
    failing = () => new StorageError('io', 'disk I/O error')
    await failTimes(2)
    expect(told()).toHaveLength(2)
  })

  it('tells of every fault of the program, with its stack', async () => {
    await start()
    failing = () => new TypeError('a fault of ours')
    expect(await failTimes(3)).toEqual([500, 500, 500])
    expect(told()).toHaveLength(3)
    for (const line of told()) expect(JSON.stringify(line)).toContain('TypeError: a fault of ours')
  })

  it('says nothing of what is the client’s fault, or passes by itself', async () => {
    await start()
    failing = () => new MatrixError('M_FORBIDDEN', 'no')
    await failTimes(1)
    failing = () => new StorageError('busy', 'locked')
    await failTimes(1)
    expect(told()).toEqual([])
  })
})

it('the log has no path by which its reader could act', async () => {
  await start()
  await server.close()
  server = await startTestServer(
    [
      route({
        id: 'acts',
        method: 'POST',
        paths: ['/waiting/{delayId}/send'],
        auth: 'none',
        handler: () => Promise.resolve({}),
      }),
    ],
    {},
    { clock, logger: createLogger({ level: 'info', write: (line) => lines.push(JSON.parse(line)) }) },
  )
  await server.request('POST', '/waiting/s3cret/send')
  expect(lines.find(({ msg }) => msg === 'request')).toMatchObject({ path: '/waiting/{delayId}/send' })
  expect(JSON.stringify(lines)).not.toContain('s3cret')
})
