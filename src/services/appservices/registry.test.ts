import { describe, expect, it } from '@jest/globals'
import { parseRegistration, type AppserviceRegistration } from '../../core/appservice/registration.js'
import type { JsonObject } from '../../core/json/value.js'
import { manualClock } from '../../platform/clock.js'
import { createAppserviceRegistry } from './registry.js'

const registration = (id: string, namespaces: JsonObject): AppserviceRegistration => {
  const parsed = parseRegistration(
    { id, url: null, as_token: `${id}_as`, hs_token: 'hs', sender_localpart: `${id}bot`, namespaces },
    'ours.example',
  )
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return parsed.registration
}

const logged: object[] = []
const clock = manualClock()
const registry = createAppserviceRegistry({
  registrations: [
    registration('irc', {
      users: [{ exclusive: true, regex: '@irc_' }],
      aliases: [{ exclusive: true, regex: '#irc_' }],
      rooms: [{ exclusive: false, regex: '!abc' }],
    }),
    registration('log', { users: [{ exclusive: false, regex: '@.*' }] }),
  ],
  serverName: 'ours.example',
  clock,
  logger: { warn: (about: object) => void logged.push(about) } as never,
})
const [irc, log] = registry.all

describe('the registered application services', () => {
  it('are told by their tokens, as a whole', () => {
    expect(registry.byToken('irc_as')?.id).toBe('irc')
    expect(registry.byToken('irc_a')).toBeUndefined()
    expect(registry.byToken('')).toBeUndefined()
  })

  it('own users and aliases of this server alone, and rooms of any', () => {
    expect(irc!.ownsUser('@irc_bob:ours.example')).toBe(true)
    expect(irc!.ownsUser('@irc_bob:ours.example')).toBe(true)
    expect(irc!.ownsUser('@irc_bob:elsewhere.example')).toBe(false)
    expect(irc!.ownsUser('@ircbot:ours.example')).toBe(true)
    expect(irc!.ownsUser('@irc_no id')).toBe(false)
    expect(irc!.ownsAlias('#irc_tea:ours.example')).toBe(true)
    expect(irc!.ownsAlias('#irc_tea:elsewhere.example')).toBe(false)
    expect(irc!.ownsRoom('!abcdef:elsewhere.example')).toBe(true)
    expect(log!.ownsUser('@irc_bob:ours.example')).toBe(true)
  })

  it('have for themselves what is exclusive, and their own users', () => {
    expect(registry.exclusiveOwner('@irc_bob:ours.example')).toBe('irc')
    expect(registry.exclusiveOwner('@logbot:ours.example')).toBe('log')
    expect(registry.exclusiveOwner('@alice:ours.example')).toBeUndefined()
    expect(registry.exclusiveAliasOwner('#irc_tea:ours.example')).toBe('irc')
    expect(registry.exclusiveAliasOwner('#irc_tea:elsewhere.example')).toBeUndefined()
    expect(registry.exclusiveAliasOwner('#tea:ours.example')).toBeUndefined()
  })

  it('that try to act as somebody else are named in the log, once a minute', () => {
    registry.refused?.('irc', '@alice:ours.example')
    registry.refused?.('irc', '@alice:ours.example')
    expect(logged).toEqual([{ appservice: 'irc', userId: '@alice:ours.example' }])
    clock.advance(60_001)
    registry.refused?.('irc', '@alice:ours.example')
    expect(logged).toHaveLength(2)
  })
})
