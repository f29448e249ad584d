import { describe, expect, it } from '@jest/globals'
import { readInvitePermission } from './invite-permission.js'
import type { JsonObject } from './json/value.js'

const verdicts = (filter: JsonObject, permission: JsonObject = {}): string[] => {
  const { of } = readInvitePermission(permission, filter)
  return ['@bob:one.example', '@eve:one.example', '@bob:two.example'].map((sender) => of(sender))
}

describe('whose invites a user wants', () => {
  it.each<[string, JsonObject, string[]]>([
    ['everybody’s where nothing is said', {}, ['allow', 'allow', 'allow']],
    ['not a user’s', { blocked_users: ['@bob:one.example'] }, ['block', 'allow', 'allow']],
    ['silently not a user’s', { ignored_users: ['@bob:one.example'] }, ['ignore', 'allow', 'allow']],
    ['not a server’s', { blocked_servers: ['one.example'] }, ['block', 'block', 'allow']],
    ['silently not a server’s', { ignored_servers: ['one.example'] }, ['ignore', 'ignore', 'allow']],
    ['not by a pattern of users', { blocked_users: ['@b?b:*'] }, ['block', 'allow', 'block']],
    ['not by a pattern of servers', { blocked_servers: ['o*.example'] }, ['block', 'block', 'allow']],
    [
      'a user’s of a server that is blocked',
      { allowed_users: ['@eve:*'], blocked_servers: ['*'] },
      ['block', 'allow', 'block'],
    ],
    [
      'not a user’s of a server that is allowed',
      { blocked_users: ['@eve:*'], allowed_servers: ['one.example'] },
      ['allow', 'block', 'allow'],
    ],
    [
      'a user’s of several lists, since allowing comes first',
      { allowed_users: ['@bob:*'], ignored_users: ['@*'], blocked_users: ['@*'] },
      ['allow', 'ignore', 'allow'],
    ],
    [
      'not a server’s, ignoring before blocking',
      { ignored_servers: ['one.example'], blocked_servers: ['*'] },
      ['ignore', 'ignore', 'block'],
    ],
    [
      'everybody’s while it is switched off',
      { enabled: false, blocked_users: ['*'] },
      ['allow', 'allow', 'allow'],
    ],
    [
      'everybody’s where lists are none',
      { blocked_users: null, ignored_users: '@*', blocked_servers: [7, null] },
      ['allow', 'allow', 'allow'],
    ],
  ])('is %s', (_what, filter, expected) => {
    expect(verdicts(filter)).toEqual(expected)
  })

  it('is nobody’s where all are blocked, whomever the lists allow', () => {
    expect(verdicts({ allowed_users: ['*'] }, { default_action: 'block' })).toEqual([
      'block',
      'block',
      'block',
    ])
  })
})
