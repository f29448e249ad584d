import { describe, expect, it } from '@jest/globals'
import { readAppservices } from './appservices.js'

/** As a test suite of many homeservers writes it. */
const TEXT = `id: my_as_id
hs_token: hs
as_token: as
url: 'http://localhost:9000'
sender_localpart: the-bridge-user
rate_limited: false
de.sorunome.msc2409.push_ephemeral: true
push_ephemeral: true
org.matrix.msc3202: true
namespaces:
  users:
    - exclusive: false
      regex: .*
  rooms: []
  aliases: []
`

describe('files of registrations', () => {
  it('are read as YAML', () => {
    const { registrations, faults } = readAppservices([{ file: 'a.yaml', text: TEXT }], 'hs1')
    expect(faults).toEqual([])
    expect(registrations).toMatchObject([
      {
        id: 'my_as_id',
        url: 'http://localhost:9000',
        senderUserId: '@the-bridge-user:hs1',
        rateLimited: false,
        receivesEphemeral: true,
        encrypts: true,
      },
    ])
    expect(registrations[0]!.users[0]!.pattern.matches('@alice:hs1')).toBe(true)
  })

  it('have their faults told at once, by file', () => {
    const { registrations, faults } = readAppservices(
      [
        { file: 'a.yaml', text: TEXT },
        { file: 'none.yaml', text: undefined },
        { file: 'b.yaml', text: TEXT.replace('my_as_id', 'other') },
        { file: 'c.yaml', text: 'a: [' },
        { file: 'd.yaml', text: TEXT.replace('.*', "'*'").replace('hs_token: hs', '') },
      ],
      'hs1',
    )
    expect(registrations).toHaveLength(2)
    expect(faults.map(({ path, problem }) => `${path.join(' ')} ${problem}`)).toEqual([
      'appservices 3 c.yaml: is not YAML',
      'appservices 4 d.yaml: hs_token is missing',
      'appservices 4 d.yaml: namespaces.users[0].regex has a * with nothing to repeat',
      'appservices 2 b.yaml: has the same as_token as appservices[0]',
      'appservices 2 b.yaml: has the same sender_localpart as appservices[0]',
    ])
  })

  it('survive a bomb of aliases', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [key, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf'].map((pair) => [pair[0]!, pair[1]!]))
      bomb.push(`${key}: &${key} [${Array(9).fill(`*${of}`).join(', ')}]`)
    const { faults } = readAppservices([{ file: 'a.yaml', text: bomb.join('\n') }], 'hs1')
    expect(faults.map(({ problem }) => problem)).toEqual(['a.yaml: is not YAML'])
  })
})
