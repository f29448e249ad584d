import { describe, expect, it } from '@jest/globals'
import { prettyLine } from './pretty-log.js'

const line = (fields: object): string =>
  JSON.stringify({ level: 'info', time: '2026-01-02T03:04:05.678Z', ...fields, msg: 'request' })

describe('a log line for people', () => {
  it('begins with time, level and message, and ends with the fields', () => {
    expect(prettyLine(line({ route: 'whoAmI', ms: 3, user: '@a:b' }), false)).toBe(
      '03:04:05 INFO  request route=whoAmI ms=3 user=@a:b',
    )
  })

  it('quotes what could drive a terminal', () => {
    const shown = prettyLine(
      line({ path: '/\u001b[2Jx y', err: { stack: 'Error: a\u001b[2J\n  at b' } }),
      false,
    )
    expect(shown).toContain('path="/\\u001b[2Jx y"')
    expect(shown).not.toContain('\u001b')
    expect(shown).toContain('\n  at b')
  })

  it('passes on what is not JSON', () => {
    expect(prettyLine('plain', true)).toBe('plain')
  })

  it('colours the level alone', () => {
    expect(prettyLine(line({}), true)).toBe('03:04:05 \u001b[32mINFO \u001b[0m request')
  })
})
