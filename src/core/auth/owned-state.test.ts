import { describe, expect, it } from '@jest/globals'
import { create, CREATOR, levels, member, rulesOf, stateOf, testEvent } from '../testing.js'
import { checkAuth } from './check.js'

const USER = '@user:a.example'
const EQUAL = '@equal:a.example'
const POOR = '@poor:a.example'

const verdict = (version: string, sender: string, stateKey: string): string => {
  const rules = rulesOf(version)
  const users = { [CREATOR]: 100, [USER]: 50, [EQUAL]: 50 }
  const state = stateOf([
    create(rules),
    levels(rules, { users, events: { x: 0 } }),
    ...[CREATOR, USER, EQUAL, POOR].map((userId) => member(rules, userId, 'join')),
  ])
  const result = checkAuth(testEvent(rules, { type: 'x', sender, stateKey }), state, () => true)
  return result.ok ? 'ok' : result.rule
}

describe('state of one owner', () => {
  it.each([
    ['one’s own', USER, USER, 'ok'],
    ['one’s own with more behind the id', USER, `${USER}_more:_@`, 'ok'],
    ['one’s own with nothing behind the underscore', USER, `${USER}_`, 'ok'],
    ['that of who has less power', CREATOR, `${USER}_more`, 'ok'],
    ['that of who has as much power', USER, `${EQUAL}_more`, 'state_key'],
    ['that of who has more power', USER, CREATOR, 'state_key'],
    ['that of whose server is called alike', POOR, `${POOR}more`, 'state_key'],
    ['that of nobody', CREATOR, '@oops', 'state_key.owner'],
    ['that of nobody with an underscore', CREATOR, '@oops_more', 'state_key.owner'],
    ['that of no server', CREATOR, `${USER}@more`, 'state_key.owner'],
    ['what is no user’s', USER, 'x_@user', 'ok'],
  ])('may be set or not: %s', (_what, sender, stateKey, expected) => {
    for (const version of ['org.matrix.msc3757.10', 'org.matrix.msc3757.11'])
      expect(verdict(version, sender, stateKey)).toBe(expected)
  })

  it('is no more than one’s own id in the versions of the specification', () => {
    for (const version of ['10', '11', '12']) {
      expect(verdict(version, USER, USER)).toBe('ok')
      expect(verdict(version, USER, `${USER}_more`)).toBe('state_key')
      expect(verdict(version, CREATOR, USER)).toBe('state_key')
      expect(verdict(version, CREATOR, '@oops')).toBe('state_key')
    }
  })
})
