import { describe, expect, it } from '@jest/globals'
import { parseRegistration, registrationClashes, type AppserviceRegistration } from './registration.js'
import type { JsonObject } from '../json/value.js'

const GOOD = {
  id: 'irc',
  url: 'http://127.0.0.1:9999/base/',
  as_token: 'as',
  hs_token: 'hs',
  sender_localpart: 'ircbot',
  namespaces: { users: [{ exclusive: true, regex: '@irc_.*' }], aliases: [], rooms: [] },
}

function parsed(value: JsonObject): AppserviceRegistration {
  const result = parseRegistration(value, 'ours.example')
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  return result.registration
}
const faultsOf = (value: JsonObject): string[] => {
  const result = parseRegistration(value, 'ours.example')
  return result.ok ? [] : result.faults.map(({ place, problem }) => `${place}: ${problem}`)
}

describe('a registration', () => {
  it('is read with what it leaves out', () => {
    const registration = parsed(GOOD)
    expect(registration).toMatchObject({
      id: 'irc',
      url: 'http://127.0.0.1:9999/base',
      senderUserId: '@ircbot:ours.example',
      rateLimited: true,
      protocols: [],
      receivesEphemeral: false,
      encrypts: false,
      aliases: [],
      rooms: [],
    })
    expect(registration.users[0]?.exclusive).toBe(true)
    expect(registration.users[0]?.pattern.matches('@irc_bob:ours.example')).toBe(true)
  })

  it('may want nothing to be told, by null or by an empty address', () => {
    expect(parsed({ ...GOOD, url: null }).url).toBeUndefined()
    expect(parsed({ ...GOOD, url: '' }).url).toBeUndefined()
  })

  it('is understood by the names that bridges of today write', () => {
    expect(parsed({ ...GOOD, 'de.sorunome.msc2409.push_ephemeral': true }).receivesEphemeral).toBe(true)
    expect(parsed({ ...GOOD, receive_ephemeral: true }).receivesEphemeral).toBe(true)
    expect(parsed({ ...GOOD, 'org.matrix.msc3202': true }).encrypts).toBe(true)
    expect(parsed({ ...GOOD, rate_limited: false, protocols: ['irc', 'irc'] })).toMatchObject({
      rateLimited: false,
      protocols: ['irc'],
    })
  })

  it('tells everything that is wrong with it at once', () => {
    const faults = faultsOf({
      id: 'a|b',
      url: 'ftp://x',
      as_token: 7,
      hs_token: 'two\nlines',
      sender_localpart: 'a:b',
      rate_limited: 'yes',
      protocols: 'irc',
      namespaces: {
        users: [{ exclusive: true, regex: '(' }, { regex: 'a' }, 'x'],
        aliases: {},
        rooms: [{ exclusive: false, regex: 1 }],
      },
    })
    expect(faults.sort()).toEqual(
      [
        'as_token: must be a text that is not empty',
        'hs_token: must consist of visible ASCII characters',
        'id: must not contain |',
        'namespaces.aliases: must be a list of at most 200',
        'namespaces.rooms[0].regex: must be a text',
        'namespaces.users[0].regex: has a ( without its )',
        'namespaces.users[1].exclusive: must be true or false',
        'namespaces.users[2]: must have exclusive and regex',
        'protocols: must be a list of at most 100 names',
        'rate_limited: must be true or false',
        'sender_localpart: is no name of a user',
        'url: must begin with http:// or https://, without user, query and fragment',
      ].sort(),
    )
    expect(faultsOf({})).toHaveLength(6)
    expect(faultsOf([] as unknown as JsonObject)).toEqual([': is no registration'])
  })

  it.each(['http://user@host/', 'http://host/?a=b', 'http://host/#a', 'http://', 5])(
    'has no address such as %s',
    (url) => {
      expect(faultsOf({ ...GOOD, url })).toEqual([expect.stringContaining('url: ')])
    },
  )
})

describe('several registrations', () => {
  it('must have ids, tokens and users of their own', () => {
    const one = parsed(GOOD)
    const other = parsed({ ...GOOD, id: 'x', as_token: 'y', sender_localpart: 'z' })
    expect(registrationClashes([one, undefined, other])).toEqual([])
    expect(
      registrationClashes([one, undefined, one]).map(({ index, problem }) => `${index} ${problem}`),
    ).toEqual([
      '2 has the same id as appservices[0]',
      '2 has the same as_token as appservices[0]',
      '2 has the same sender_localpart as appservices[0]',
    ])
  })
})
