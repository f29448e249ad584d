import { describe, expect, it } from '@jest/globals'
import { ACCOUNT_MOVE, certificateOf, type AccountMove } from '../account-move/move-certificate.js'
import type { JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { ALL_VERSIONS, create, joinRules, levels, member, rulesOf, stateOf, testEvent } from '../testing.js'
import type { RoomEvent } from '../event/types.js'
import type { AccessPolicy } from './access-policy.js'
import { checkAccess } from './check-access.js'
import { handedOver } from './handed-over.js'
import { stateKey } from '../state/state-key.js'

const ANA = '@ana:finances.example'
const BO = '@bo:interieur.example'
const CEM = '@cem:interieur.example'
const EVE = '@eve:partners.example'
const ROBOT = '@robot:partners.example'

/** Bo goes from one ministry to another, and later on to a third. */
const BO_NOW = '@bo:finances.example'
const BO_LATER = '@bo:justice.example'
const moveOf = (oldUser: string, newUser: string): AccountMove => ({
  oldUser,
  newUser,
  source: oldUser.split(':')[1]!,
  target: newUser.split(':')[1]!,
  nonce: 'n'.repeat(43),
  issuedAt: 0,
  notAfter: 1_000_000,
})
const MOVES = [moveOf(BO, BO_NOW), moveOf(BO_NOW, BO_LATER), moveOf(BO, CEM)]
const policy: AccessPolicy = {
  isExternalServer: (server) => server === 'partners.example',
  bypasses: (userId) => userId === ROBOT,
  // Signatures are tested beside the certificate.
  provenMove: ({ old_user: from, new_user: to }) =>
    MOVES.find(({ oldUser, newUser }) => oldUser === from && newUser === to),
}
const tie = (oldUser: string, newUser: string, more: object = {}): RoomEvent =>
  testEvent(V, {
    id: `$tie-${oldUser}`,
    type: ACCOUNT_MOVE,
    sender: oldUser,
    stateKey: oldUser,
    content: certificateOf(moveOf(oldUser, newUser)),
    ts: 500_000,
    ...more,
  })
const V = rulesOf(11)

const access = (content: JsonObject): RoomEvent =>
  testEvent(V, { id: '$access', type: 'im.vector.room.access_rules', stateKey: '', content })
const set = (
  type: string,
  content: JsonObject,
  more: { sender?: string; stateKey?: string } = {},
): RoomEvent => testEvent(V, { type, sender: ANA, stateKey: '', content, ...more })
const membership = (userId: string, value: string, sender = userId, more: JsonObject = {}): RoomEvent =>
  testEvent(V, { type: 'm.room.member', sender, stateKey: userId, content: { membership: value, ...more } })
const offer = (token: string, content: JsonObject = { display_name: 'x' }): RoomEvent =>
  testEvent(V, { type: 'm.room.third_party_invite', sender: ANA, stateKey: token, content })

function judge(event: RoomEvent, state: readonly RoomEvent[]): string {
  const of = (type: string): RoomEvent[] => state.filter((one) => one.type === type)
  const verdict = checkAccess(
    event,
    {
      get: stateOf(state),
      members: of('m.room.member'),
      addressInvites: of('m.room.third_party_invite'),
      moves: of(ACCOUNT_MOVE),
    },
    policy,
  )
  return verdict.ok ? 'ok' : verdict.rule
}

describe('a restricted room', () => {
  const rooms = {
    'that says so': [access({ rule: 'restricted' })],
    'that says nothing': [],
    'that says what nobody knows': [access({ rule: 'open' })],
    'whose rule is no text': [access({ rule: { restricted: false } })],
  }
  it.each(Object.entries(rooms))('%s has no external members', (_name, state) => {
    expect(judge(membership(EVE, 'invite', ANA), state)).toBe('access.external')
    expect(judge(membership(EVE, 'join'), state)).toBe('access.external')
    expect(judge(membership(EVE, 'join'), [...state, member(V, EVE, 'invite')])).toBe('access.external')
    expect(judge(membership(BO, 'invite', ANA), state)).toBe('ok')
    expect(judge(membership(BO, 'join'), state)).toBe('ok')
  })

  it('lets external people go, be thrown out, and knock in vain', () => {
    for (const value of ['leave', 'ban', 'knock']) expect(judge(membership(EVE, value), [])).toBe('ok')
  })

  it('takes who has no server for external', () => {
    expect(judge(membership('nobody', 'invite', ANA), [])).toBe('access.external')
  })
})

describe('an unrestricted room', () => {
  const open = access({ rule: 'unrestricted' })
  it('is entered by external people who were invited, and stay', () => {
    expect(judge(membership(EVE, 'invite', ANA), [open])).toBe('ok')
    expect(judge(membership(EVE, 'join'), [open])).toBe('access.external.uninvited')
    for (const before of ['leave', 'ban', 'knock'])
      expect(judge(membership(EVE, 'join'), [open, member(V, EVE, before)])).toBe('access.external.uninvited')
    expect(judge(membership(EVE, 'join'), [open, member(V, EVE, 'invite')])).toBe('ok')
    expect(judge(membership(EVE, 'join', EVE, { displayname: 'E' }), [open, member(V, EVE, 'join')])).toBe(
      'ok',
    )
    expect(judge(membership(BO, 'join'), [open])).toBe('ok')
  })

  it('gives external people no power, and nobody without power the right to invite', () => {
    const change = (content: JsonObject): string => judge(set('m.room.power_levels', content), [open])
    expect(change({ invite: 50, users: { [ANA]: 100, [BO]: 50, [EVE]: 0 } })).toBe('ok')
    expect(change({ invite: 50, users: { [EVE]: 1 } })).toBe('access.levels')
    expect(change({ invite: 50, users: { [EVE]: -1 } })).toBe('access.levels')
    expect(change({ invite: 50, users_default: 10 })).toBe('access.levels')
    expect(change({ invite: 0 })).toBe('access.levels.invite')
    expect(change({})).toBe('access.levels.invite')
  })

  it('reads levels as the room version does', () => {
    const old = rulesOf(5)
    const change = (content: JsonObject): string =>
      judge(testEvent(old, { type: 'm.room.power_levels', sender: ANA, stateKey: '', content }), [open])
    expect(change({ invite: '50', users: { [EVE]: '0' } })).toBe('ok')
    expect(change({ invite: '50', users: { [EVE]: ' +7 ' } })).toBe('access.levels')
    expect(change({ invite: '0' })).toBe('access.levels.invite')
  })
})

describe('a direct room', () => {
  const direct = access({ rule: 'direct' })
  const pair = [direct, member(V, ANA, 'join'), member(V, BO, 'leave')]
  it('is for the two who ever were in it', () => {
    for (const value of ['invite', 'join', 'knock', 'leave', 'ban'])
      expect(judge(membership(CEM, value, ANA), pair)).toBe('access.direct.third')
    expect(judge(membership(BO, 'invite', ANA), pair)).toBe('ok')
    expect(judge(membership(CEM, 'invite', ANA), pair.slice(0, 2))).toBe('ok')
    expect(judge(membership(EVE, 'invite', ANA), pair.slice(0, 2))).toBe('ok')
    expect(judge(offer('t'), pair)).toBe('access.direct.third')
  })

  it('keeps the second place for an address that was invited', () => {
    const kept = [direct, member(V, ANA, 'join'), offer('t')]
    expect(judge(membership(BO, 'invite', ANA), kept)).toBe('access.direct.kept')
    const redeemed = { third_party_invite: { signed: { token: 't' } } }
    expect(judge(membership(BO, 'invite', ANA, redeemed), kept)).toBe('ok')
    expect(
      judge(membership(BO, 'invite', ANA, { third_party_invite: { signed: { token: 'u' } } }), kept),
    ).toBe('access.direct.kept')
    expect(judge(membership(ANA, 'join', ANA, { displayname: 'A' }), kept)).toBe('ok')
    expect(judge(offer('u'), kept)).toBe('access.direct.third')
    expect(judge(offer('t', {}), kept)).toBe('ok')
    const withdrawn = [direct, member(V, ANA, 'join'), offer('t', {})]
    expect(judge(membership(BO, 'invite', ANA), withdrawn)).toBe('ok')
    expect(judge(offer('u'), withdrawn)).toBe('ok')
  })

  it('has no name, topic or picture, and is not opened to everybody', () => {
    for (const type of ['m.room.name', 'm.room.topic', 'm.room.avatar'])
      expect(judge(set(type, {}), pair)).toBe('access.direct.profile')
    expect(judge(set('m.room.join_rules', { join_rule: 'public' }), pair)).toBe('access.direct.public')
    expect(judge(set('m.room.join_rules', { join_rule: 'knock' }), pair)).toBe('ok')
  })
})

describe('who changes ministry', () => {
  const pair = [access({ rule: 'direct' }), member(V, ANA, 'join'), member(V, BO, 'join')]

  it('is no third person in a direct room, invited by either, whatever becomes of the old account', () => {
    const tied = [...pair, tie(BO, BO_NOW)]
    for (const [value, sender] of [
      ['invite', BO],
      ['invite', ANA],
      ['join', BO_NOW],
    ] as const)
      expect(judge(membership(BO_NOW, value, sender), tied)).toBe('ok')
    expect(judge(membership(BO_NOW, 'invite', BO), pair)).toBe('access.direct.third')
    expect(judge(membership(CEM, 'invite', BO), tied)).toBe('access.direct.third')
    const later = [...tied, member(V, BO_NOW, 'join'), tie(BO_NOW, BO_LATER)]
    expect(judge(membership(BO_LATER, 'invite', BO_NOW), later)).toBe('ok')
    expect(judge(membership(CEM, 'invite', BO_NOW), later)).toBe('access.direct.third')
    expect(judge(offer('t'), later)).toBe('access.direct.third')
  })

  it('is tied to the old account by nobody but this account, with its own certificate', () => {
    expect(judge(tie(BO, BO_NOW), pair)).toBe('ok')
    expect(judge(tie(BO, BO_NOW, { sender: ANA }), pair)).toBe('access.move')
    expect(judge(tie(BO, BO_NOW, { stateKey: '' }), pair)).toBe('access.move')
    expect(judge(tie(BO, EVE), pair)).toBe('access.move')
    expect(judge(tie(ANA, BO_NOW), pair)).toBe('access.move')
    const stolen = testEvent(V, { type: ACCOUNT_MOVE, sender: ANA, stateKey: ANA, content: certificateOf(moveOf(BO, BO_NOW)) }) // prettier-ignore
    expect(judge(membership(BO_NOW, 'invite', ANA), [...pair, stolen])).toBe('access.direct.third')
    const none = { isExternalServer: policy.isExternalServer, bypasses: policy.bypasses }
    const state = { get: stateOf(pair), members: [], addressInvites: [], moves: [] }
    expect(checkAccess(tie(BO, BO_NOW), state, none)).toMatchObject({ rule: 'access.move' })
  })

  it('moves while the certificate counts, and to one account', () => {
    expect(judge(tie(BO, BO_NOW, { ts: 1_000_001 }), pair)).toBe('access.move')
    expect(judge(tie(BO, BO_NOW, { ts: -1 }), pair)).toBe('access.move')
    expect(judge(tie(BO, CEM), [...pair, tie(BO, BO_NOW)])).toBe('access.move')
    expect(judge(tie(BO, BO_NOW), [...pair, tie(BO, BO_NOW)])).toBe('ok')
  })

  it('stays tied: nobody takes the certificate back', () => {
    const tied = [...pair, tie(BO, BO_NOW)]
    const redaction = testEvent(V, { type: 'm.room.redaction', sender: ANA, redacts: `$tie-${BO}` })
    expect(judge(redaction, tied)).toBe('access.redaction')
  })
})

describe('the access rules themselves', () => {
  const people = [member(V, ANA, 'join'), member(V, BO, 'join')]
  const guarded = levels(V, { invite: 50, users: { [ANA]: 100 } })
  const change = (content: JsonObject, state: readonly RoomEvent[]): string => judge(access(content), state)

  it('are one of three', () => {
    for (const content of [{}, { rule: 'open' }, { rule: 1 }, { rule: null }] as JsonObject[])
      expect(change(content, [])).toBe('access.rule.unknown')
  })

  it('open a room, and change in no other way', () => {
    const from = (rule: string, to: string, more: JsonObject = {}): string =>
      change({ rule: to, ...more }, [access({ rule, ...more }), guarded])
    expect(from('restricted', 'unrestricted')).toBe('ok')
    expect(from('restricted', 'restricted')).toBe('ok')
    expect(from('restricted', 'direct')).toBe('access.rule.change')
    expect(from('unrestricted', 'restricted')).toBe('access.rule.change')
    expect(from('unrestricted', 'direct')).toBe('access.rule.change')
    expect(from('direct', 'unrestricted')).toBe('access.rule.change')
    expect(from('restricted', 'unrestricted', { visibility: 'public' })).toBe('access.rule.public')
  })

  it('are not opened to external people who have power, or whom anybody may call in', () => {
    const before = access({ rule: 'restricted' })
    const open = { rule: 'unrestricted' }
    expect(change(open, [before, levels(V, { invite: 50, users: { [EVE]: 50 } })])).toBe('access.levels')
    expect(change(open, [before, levels(V, { users: { [ANA]: 100 } })])).toBe('access.levels.invite')
    expect(change(open, [levels(V, { users: { [ANA]: 100 } })])).toBe('access.levels.invite')
    expect(change(open, [guarded])).toBe('ok')
  })

  it('settle once for all whether a room is public and without encryption', () => {
    const before = access({ rule: 'restricted' })
    expect(change({ rule: 'restricted', visibility: 'public' }, [before])).toBe('access.rule.fixed')
    expect(change({ rule: 'restricted', force_unencrypted_at_creation: true }, [before])).toBe(
      'access.rule.fixed',
    )
    expect(change({ rule: 'restricted', visibility: 'private' }, [before])).toBe('ok')
    expect(change({ rule: 'restricted', visibility: 'public' }, [])).toBe('ok')
  })

  it('make a direct room of two people, not of more', () => {
    expect(change({ rule: 'direct' }, people)).toBe('ok')
    expect(change({ rule: 'direct' }, [...people, member(V, CEM, 'leave')])).toBe('access.direct.people')
    expect(change({ rule: 'direct' }, [offer('t'), offer('u')])).toBe('access.direct.people')
  })

  it('cannot be redacted, nor the levels', () => {
    const state = [access({ rule: 'direct' }), guarded]
    for (const redacts of ['$access', '$levels:a.example'])
      expect(judge(testEvent(V, { type: 'm.room.redaction', sender: ANA, redacts }), state)).toBe(
        'access.redaction',
      )
    expect(judge(testEvent(V, { type: 'm.room.redaction', sender: ANA, redacts: '$other' }), state)).toBe(
      'ok',
    )
  })

  it('stand under the empty state key alone', () => {
    expect(judge(set('im.vector.room.access_rules', {}, { stateKey: 'x' }), [])).toBe('ok')
    expect(
      judge(membership(EVE, 'join'), [
        set('im.vector.room.access_rules', { rule: 'unrestricted' }, { stateKey: 'x' }),
      ]),
    ).toBe('access.external')
  })
})

describe('a public room', () => {
  const forum = access({ rule: 'restricted', visibility: 'public' })
  it('stays open and without encryption', () => {
    const shut = set('m.room.join_rules', { join_rule: 'invite' })
    expect(judge(shut, [forum, joinRules(V, 'public')])).toBe('access.public')
    expect(judge(shut, [forum])).toBe('ok')
    expect(judge(set('m.room.encryption', { algorithm: 'x' }), [forum])).toBe('access.encryption')
    expect(
      judge(set('m.room.encryption', {}), [
        access({ rule: 'restricted', force_unencrypted_at_creation: true }),
      ]),
    ).toBe('access.encryption')
    expect(judge(set('m.room.encryption', {}), [access({ rule: 'restricted' })])).toBe('ok')
  })
})

describe('the making of a room', () => {
  it.each(ALL_VERSIONS)('in version $id is not for external people', (rules: RoomVersionRules) => {
    expect(judge(create(rules, {}, EVE), [])).toBe('access.create.external')
    expect(judge(create(rules, {}, ANA), [])).toBe('ok')
    const shared = judge(create(rules, { additional_creators: [EVE] }, ANA), [])
    expect(shared).toBe(rules.creator === 'privileged' ? 'access.create.external' : 'ok')
  })
})

describe('those to whom no rule applies', () => {
  it('do as they like, are invited, and what they invite comes in', () => {
    expect(judge(membership(ROBOT, 'join'), [])).toBe('ok')
    expect(judge(membership(ROBOT, 'invite', ANA), [])).toBe('ok')
    expect(judge(membership(EVE, 'invite', ROBOT), [])).toBe('ok')
    const invited = testEvent(V, { type: 'm.room.member', sender: ROBOT, stateKey: EVE, content: { membership: 'invite' } }) // prettier-ignore
    expect(judge(membership(EVE, 'join'), [invited])).toBe('ok')
    expect(judge(create(V, {}, ROBOT), [])).toBe('ok')
  })
})

it('messages are nobody’s concern', () => {
  expect(judge(testEvent(V, { sender: EVE }), [])).toBe('ok')
})

describe('a state that is handed over', () => {
  it('of a direct room has those who changed ministry in it, in whatever order they came and went', () => {
    const at = (event: RoomEvent, originServerTs: number): RoomEvent => ({ ...event, originServerTs })
    const room = [
      access({ rule: 'direct' }),
      at(member(V, ANA, 'join'), 1),
      at(membership(BO_NOW, 'join'), 2),
      at(membership(BO, 'leave'), 3),
    ]
    expect(judgeAll(room)).toEqual(['ok', 'ok', 'ok', 'access.direct.third'])
    expect(judgeAll([...room, tie(BO, BO_NOW)])).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
    expect(judgeAll([...room, tie(BO, CEM)])).toEqual(['ok', 'ok', 'ok', 'access.direct.third', 'ok'])
  })

  const judgeAll = (state: readonly RoomEvent[], auth: readonly RoomEvent[] = []): string[] => {
    const byKey = new Map(state.map((event) => [stateKey(event.type, event.stateKey!), event]))
    const judged = handedOver(byKey, policy)
    return state.map((event) => {
      const verdict = judged(event, auth)
      return verdict.ok ? 'ok' : verdict.rule
    })
  }

  it('has no external members where the room is restricted, and those who were invited elsewhere', () => {
    expect(judgeAll([access({ rule: 'restricted' }), membership(EVE, 'join')])).toEqual([
      'ok',
      'access.external',
    ])
    const open = [access({ rule: 'unrestricted' }), levels(V, { invite: 50 }), membership(EVE, 'join')]
    expect(judgeAll(open)).toEqual(['ok', 'ok', 'access.external.uninvited'])
    expect(judgeAll(open, [membership(EVE, 'invite', ANA)])).toEqual(['ok', 'ok', 'ok'])
  })

  it('knows the rules and the people of a direct room from its other events', () => {
    const at = (userId: string, ts: number): RoomEvent =>
      testEvent(V, { id: `$${ts}`, type: 'm.room.member', sender: userId, stateKey: userId, content: { membership: 'join' }, ts }) // prettier-ignore
    const state = [at(CEM, 9), access({ rule: 'direct' }), at(ANA, 1), at(BO, 2)]
    expect(judgeAll(state)).toEqual(['access.direct.third', 'ok', 'ok', 'ok'])
  })
})
