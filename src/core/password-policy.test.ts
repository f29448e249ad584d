import { describe, expect, it } from '@jest/globals'
import { judgePassword, PASSWORD_CLASSES, policyForClients } from './password-policy.js'

const ALL = { minLength: 8, require: PASSWORD_CLASSES }

describe('a password', () => {
  it.each([
    ['Sésame-0uvre', undefined],
    ['Ab1-', 'M_PASSWORD_TOO_SHORT'],
    ['Sesame-ouvre', 'M_PASSWORD_NO_DIGIT'],
    ['Sésame0uvre', 'M_PASSWORD_NO_SYMBOL'],
    ['SESAME-0UVRE', 'M_PASSWORD_NO_LOWERCASE'],
    ['sesame-0uvre', 'M_PASSWORD_NO_UPPERCASE'],
  ])('%s meets %s', (password, errcode) => {
    expect(judgePassword(password, ALL)?.errcode).toBe(errcode)
  })

  it('that is only too short is weak in the words of the specification, where nothing else is asked', () => {
    expect(judgePassword('short', { minLength: 8, require: [] })?.errcode).toBe('M_WEAK_PASSWORD')
    expect(judgePassword('long enough', { minLength: 8, require: [] })).toBeUndefined()
  })

  it('has as many characters as people count', () => {
    expect(judgePassword('👍👍👍👍', { minLength: 4, require: [] })).toBeUndefined()
    expect(judgePassword('👍👍👍', { minLength: 4, require: [] })).toBeDefined()
  })
})

it('clients are told the policy in the names that they know', () => {
  expect(policyForClients({ minLength: 12, require: ['digit'] })).toEqual({
    'm.minimum_length': 12,
    'm.require_digit': true,
    'm.require_symbol': false,
    'm.require_lowercase': false,
    'm.require_uppercase': false,
  })
})
