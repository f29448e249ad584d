import { describe, expect, it } from '@jest/globals'
import { createRateLimiter, type RateLimits } from '../http/rate-limit.js'
import { manualClock } from '../platform/clock.js'
import type { NodeInfoOptions } from '../services/node-info.js'
import { nodeInfoOptionsOf, rateLimitsOf } from './derived.js'
import { parseConfig } from './load.js'
import type { Config } from './schema.js'

const config = (yaml: string): Config =>
  parseConfig(`server_name: ministry.example\n${yaml}`, '/x/homeserver.yaml', { env: {}, readFile: () => '' })
    .config

describe('rate limits', () => {
  it('that are switched off do not limit, the others do', () => {
    const limits: RateLimits = rateLimitsOf(
      config('rate_limits: { login: { per_second: 1, burst: 1 }, message: false }'),
    )
    const limiter = createRateLimiter(limits, manualClock())
    for (let i = 0; i < 1_000; i++) limiter.take('message', 'a')
    limiter.take('login', 'a')
    expect(() => limiter.take('login', 'a')).toThrow(/Too many requests/)
  })
})

describe('what the node says of itself', () => {
  const say = (yaml: string): NodeInfoOptions => nodeInfoOptionsOf(config(yaml), '1')

  it('follows the federation settings', () => {
    expect(say('').federation).toBe('open')
    expect(say('federation: { allow: [] }').federation).toBe('closed')
    expect(say('federation: { enabled: false, allow: [] }').federation).toBe('off')
  })

  it('follows the registration settings', () => {
    expect(say('').registration).toBe('closed')
    expect(say('registration: { enabled: true }').registration).toBe('token')
    expect(say('registration: { enabled: true, flow: dummy }').registration).toBe('open')
  })

  it('holds only what is configured', () => {
    expect(say('')).not.toHaveProperty('publicBaseurl')
    expect(say('public_baseurl: https://m.example/').publicBaseurl).toBe('https://m.example')
  })
})
