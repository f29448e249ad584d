import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isStrictLocalpart } from './ids/user-id.js'
import {
  displayNameOfAddress,
  localpartOfAddress,
  nameOfPerson,
  organisationOf,
  unknownFields,
  DISPLAY_NAME_FIELDS,
  USER_ID_FIELDS,
} from './account-names.js'

const SUFFIXES = ['gov.example', 'regions.gov.example']

describe('the name of an account', () => {
  it.each([
    ['jean-paul.martin@finances.gov.example', '{local}-{domain}', 'jean-paul.martin-finances.gov.example'],
    ["o'neil+matrix@b.example", '{local}', 'oneilmatrix'],
    ['anne@finances.gov.example', '{local}.{organisation}', 'anne.finances'],
  ])('of %s by %s is %s', (address, template, localpart) => {
    expect(localpartOfAddress(address, template, SUFFIXES)).toBe(localpart)
  })

  it('is none where nothing is left that a user id may have, or digits alone', () => {
    expect(localpartOfAddress("'''@b.example", '{local}', [])).toBeUndefined()
    expect(localpartOfAddress('123@b.example', '{local}', [])).toBeUndefined()
  })

  it('is one that a server may give, whatever the address', () => {
    const address = fc
      .tuple(fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}$/), fc.stringMatching(/^[a-z]{1,20}$/))
      .map(([local, label]) => `${local}@${label}.example`)
    fc.assert(
      fc.property(
        address,
        fc.constantFrom('{local}-{domain}', '{local}', '{organisation}.{local}'),
        (a, t) => {
          const localpart = localpartOfAddress(a, t, SUFFIXES)
          expect(localpart === undefined || isStrictLocalpart(localpart)).toBe(true)
        },
      ),
    )
  })
})

describe('the display name', () => {
  const given = { suffixes: SUFFIXES, label: 'Ministry of Finance' }
  it.each([
    ['jean-paul.martin@finances.gov.example', '{name} [{organisation}]', 'Jean-Paul Martin [Finances]'],
    ['anne@north.regions.gov.example', '{name} [{organisation}]', 'Anne [North]'],
    ['anne_dupont+x@gov.example', '{name} [{organisation}]', 'Anne Dupont [Gov]'],
    ['anne@mail.partner.example', '{name} [{organisation}]', 'Anne [Partner]'],
    ['anne@partner.example', '{name} ({label})', 'Anne (Ministry of Finance)'],
    ['anne@partner.example', '{address}', 'anne@partner.example'],
  ])('of %s by %s is %s', (address, template, name) => {
    expect(displayNameOfAddress(address, template, given)).toBe(name)
  })

  it('keeps letters that are large already', () => {
    expect(nameOfPerson('anne.DE-LA')).toBe('Anne DE-LA')
  })

  it('never takes a value for a template', () => {
    expect(displayNameOfAddress('{name}@b.example', '{local}', given)).toBe('{name}')
  })
})

it('a domain that is a suffix itself is its own organisation', () => {
  expect(organisationOf('gov.example', SUFFIXES)).toBe('gov')
})

describe('a template', () => {
  it.each([
    ['{local}-{domain}', []],
    ['{name}', ['name']],
    ['{__proto__}', ['__proto__']],
    ['{local', ['{']],
    ['local}', ['{']],
  ])('%s of a user id is at fault for %j', (template, faults) => {
    expect(unknownFields(template, USER_ID_FIELDS)).toEqual(faults)
  })

  it('of a display name may have more', () => {
    expect(unknownFields('{name} [{label}] {address}', DISPLAY_NAME_FIELDS)).toEqual([])
  })
})
