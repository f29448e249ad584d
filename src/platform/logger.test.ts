import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from './testing-until.js'
import { createLogger, silentLogger, type LogLevel } from './logger.js'

function recorder(level: LogLevel = 'trace') {
  const lines: string[] = []
  return {
    lines,
    logger: createLogger({ level, write: (line) => lines.push(line) }),
    last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown>,
  }
}

describe('the logger', () => {
  it('writes one JSON object a line, with level, time and the fields', () => {
    const { logger, lines, last } = recorder()
    logger.info({ room: '!a:b', count: 3 }, 'joined')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/\n$/)
    expect(last()).toMatchObject({ level: 'info', room: '!a:b', count: 3, msg: 'joined' })
    expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT/)
  })

  it('keeps quiet below its level', () => {
    const { logger, lines } = recorder('warn')
    logger.info({}, 'quiet')
    logger.warn({}, 'loud')
    expect(lines).toHaveLength(1)
    silentLogger.child({}).error({}, 'nowhere')
  })

  it('gives a child its request id on every line', () => {
    const { logger, last } = recorder()
    logger.child({ requestId: 'r1' }).child({ access_token: 'syt_secret' }).info({}, 'x')
    expect(last()).toMatchObject({ requestId: 'r1', access_token: '[redacted]' })
  })

  it('never writes a token, wherever it stands', () => {
    const { logger, lines } = recorder()
    const secret = 'S3CRET'
    logger.info(
      { access_token: secret, headers: { Authorization: `Bearer ${secret}`, 'set-cookie': secret } },
      'a',
    )
    logger.info({ url: `/sync?access_token=${secret}&since=1`, list: [{ refresh_token: secret }] }, 'b')
    logger.info({ line: `X-Matrix origin="a",sig="${secret}"` }, `GET /?access_token=${secret}`)
    logger.error(
      { err: new Error(`bad: Bearer ${secret}`, { cause: new Error(`?login_token=${secret}`) }) },
      'c',
    )
    logger
      .child({ password: secret })
      .info({ newPassword: secret, signing_key: secret, seed: new Uint8Array(3) }, 'd')
    expect(lines).toHaveLength(5)
    expect(lines.join('')).not.toContain(secret)
    expect(lines[1]).toContain('since=1')
  })

  it('survives fields that are cyclic, deep, wide, long or hostile', () => {
    const { logger, lines, last } = recorder()
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    logger.info(
      {
        cyclic,
        wide: Array.from({ length: 100_000 }, () => 'x'),
        long: 'y'.repeat(1_000_000),
        big: 2n ** 70n,
      },
      'z',
    )
    logger.info(JSON.parse('{"__proto__": {"polluted": 1}}') as object, 'p')
    expect(lines[0]!.length).toBeLessThan(40_000)
    expect(Object.keys(last())).toContain('__proto__')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('keeps what helps of an error', () => {
    const { logger, last } = recorder()
    logger.error({ err: Object.assign(new TypeError('broken'), { code: 'E_X' }) }, 'failed')
    expect(last()['err']).toMatchObject({
      type: 'TypeError',
      message: 'broken',
      code: 'E_X',
      stack: expect.stringContaining('logger.test'),
    })
  })
})

describe('lines to a file', () => {
  let folder: string
  let path: string
  let descriptor: number
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chancery-log-'))
    path = join(folder, 'log')
    descriptor = openSync(path, 'a')
  })
  afterEach(() => {
    closeSync(descriptor)
    rmSync(folder, { recursive: true })
  })
  const messages = (): unknown[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { msg: unknown }).msg)

  it('wait for one another for a moment, in order', async () => {
    const logger = createLogger({ descriptor })
    logger.info({}, 'one')
    logger.child({ a: 1 }).info({}, 'two')
    expect(messages()).toEqual([])
    await until(() => messages().length >= 2)
    expect(messages()).toEqual(['one', 'two'])
  })

  it('go out at once with a warning, and when there are many', () => {
    const logger = createLogger({ descriptor })
    logger.info({}, 'before')
    logger.warn({}, 'wrong')
    expect(messages()).toEqual(['before', 'wrong'])
    for (let i = 0; i < 100; i++) logger.info({ text: 'x'.repeat(1_000) }, 'many')
    expect(messages().length).toBeGreaterThan(80)
  })
})
