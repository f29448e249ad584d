import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../json/value.js'
import { policyBook, readPolicyRule, type PolicyRule } from './policy-rules.js'

const OURS = 'finances.example'
const ban = (entity: unknown, more: JsonObject = {}): JsonObject =>
  ({ entity, recommendation: 'm.ban', reason: 'spam', ...more }) as JsonObject
const rule = (kind: PolicyRule['kind'], entity: string): PolicyRule => ({ kind, entity, reason: '' })

describe('a rule of a policy list', () => {
  it.each(['m.policy.rule.user', 'org.matrix.mjolnir.rule.user', 'm.room.rule.user'])(
    'is read as %s',
    (type) => {
      expect(readPolicyRule(type, ban('@spam:x'))).toEqual({
        kind: 'user',
        entity: '@spam:x',
        reason: 'spam',
      })
    },
  )

  it.each<[string, string, JsonObject]>([
    ['another type', 'm.room.name', ban('@spam:x')],
    ['another recommendation', 'm.policy.rule.user', ban('@spam:x', { recommendation: 'm.mute' })],
    ['no recommendation', 'm.policy.rule.user', { entity: '@spam:x' }],
    ['what was taken back', 'm.policy.rule.user', {}],
    ['no text', 'm.policy.rule.user', ban(7)],
    ['nothing', 'm.policy.rule.user', ban('')],
    ['too long a text', 'm.policy.rule.user', ban('x'.repeat(256))],
  ])('is not read from %s', (_name, type, content) => {
    expect(readPolicyRule(type, content)).toBeUndefined()
  })
})

describe('a book of policies', () => {
  const book = policyBook(
    [
      rule('user', '@spam:x.example'),
      rule('user', '@bot-*:y.example'),
      rule('server', 'evil.example'),
      rule('server', '*.evil.example'),
      rule('server', OURS),
      rule('room', '!bad:z.example'),
    ],
    OURS,
  )

  it('finds users by name, by pattern and by their server', () => {
    for (const userId of [
      '@spam:x.example',
      '@bot-7:y.example',
      '@a:evil.example',
      '@a:evil.example:8448',
      '@a:sub.evil.example',
    ])
      expect(book.user(userId)).toBeDefined()
    for (const userId of ['@spam:y.example', '@bot:y.example', '@a:notevil.example', `@a:${OURS}`])
      expect(book.user(userId)).toBeUndefined()
  })

  it('finds rooms by id and by the server in it', () => {
    for (const roomId of ['!bad:z.example', '!any:evil.example']) expect(book.room(roomId)).toBeDefined()
    for (const roomId of ['!good:z.example', '!newroomswithoutserver'])
      expect(book.room(roomId)).toBeUndefined()
  })

  it('never bans the server itself, by name or by pattern', () => {
    const all = policyBook([rule('server', '*')], OURS)
    expect(all.server(OURS)).toBeUndefined()
    expect(all.user(`@a:${OURS}`)).toBeUndefined()
    expect(all.server('other.example')).toBeDefined()
  })
})
