import { ACCOUNT_MOVE } from '../../../core/account-move/move-certificate.js'
import type { AccessPolicy } from '../../../core/access-rules/access-policy.js'
import { ACCESS_RULES } from '../../../core/access-rules/room-access.js'
import type { JsonObject } from '../../../core/json/value.js'
import type { CreateRoomInput } from '../../rooms/create-room-input.js'

/** What every node of the circle goes by: the people of one server are external. */
export const circlePolicy: AccessPolicy = {
  isExternalServer: (server) => server === 'partners.example',
  bypasses: () => false,
}
/** Of a node that holds rooms to their rules, of two others that do, of one that has forgotten them, and of an external one. */
export const ANA = '@ana:finances.example'
export const BO = '@bo:interieur.example'
export const CEM = '@cem:justice.example'
export const MAL = '@mal:rogue.example'
export const EVE = '@eve:partners.example'

/** Where an event is judged: `local`: of our own users; `received`: from another server; `handed-over`: in the state of a room that is joined. */
export type Entry = 'local' | 'received' | 'handed-over'

/** State that somebody sets; or a redaction of the access rules. */
export type Step = readonly [type: string, stateKey: string, content: JsonObject] | 'redaction of the rules'

/** An event that one rule refuses, and the room in which it does. */
export interface AccessScenario {
  readonly rule: string
  readonly what: string
  readonly input: CreateRoomInput
  /** The room is one of the node that has forgotten the rules, from a time when there were none. */
  readonly isOld?: boolean
  readonly before?: readonly Step[]
  readonly event: Step
  /** Elsewhere the rule cannot be broken, or nobody could tell: docs/access-mutants.md says why. */
  readonly entries: readonly Entry[]
  /** Whoever joins is refused the whole room, as their join stands on the event. */
  readonly closesRoom?: boolean
  /** What its sender says afterwards stands on it. */
  readonly bearsLater?: boolean
}

const POWER = { [ANA]: 100, [MAL]: 100 }
const ruled = (
  rule: string,
  visibility: 'public' | 'private',
  more: Partial<CreateRoomInput>,
): CreateRoomInput => ({
  room_version: '11',
  preset: 'private_chat',
  ...more,
  visibility,
  initial_state: [{ type: ACCESS_RULES.type, content: { rule, visibility } }, ...(more.initial_state ?? [])],
  power_level_content_override: { users: POWER, ...more.power_level_content_override },
})
const restricted = ruled('restricted', 'private', {})
const unrestricted = ruled('unrestricted', 'private', { power_level_content_override: { invite: 50 } })
const direct = ruled('direct', 'private', { is_direct: true })
const forum = ruled('restricted', 'public', { preset: 'public_chat' })
const linked = ruled('restricted', 'private', { preset: 'public_chat' })
const old: CreateRoomInput = {
  room_version: '11',
  preset: 'public_chat',
  power_level_content_override: { users: POWER },
}

const access = (rule: string, visibility = 'private'): Step => [ACCESS_RULES.type, '', { rule, visibility }]
const levels = (more: JsonObject): Step => ['m.room.power_levels', '', { invite: 50, ...more }]
const invited = (userId: string): Step => ['m.room.member', userId, { membership: 'invite' }]
const joinRule = (rule: string): Step => ['m.room.join_rules', '', { join_rule: rule }]
const ENCRYPTION: Step = ['m.room.encryption', '', { algorithm: 'm.megolm.v1.aes-sha2' }]
const GUESTS: Step = ['m.room.guest_access', '', { guest_access: 'can_join' }]
const ADDRESS: Step = [
  'm.room.third_party_invite',
  'token',
  {
    display_name: 'c…@justice.example',
    public_key: 'x',
    key_validity_url: 'https://x.example',
    public_keys: [],
  },
]

const ALL: readonly Entry[] = ['local', 'received', 'handed-over']
const LIVE: readonly Entry[] = ['local', 'received']

export const accessScenarios: readonly AccessScenario[] = [
  { rule: 'access.external', what: 'the invite of an external person', input: restricted, event: invited(EVE), entries: ALL },
  { rule: 'access.rule.unknown', what: 'a rule that is none', input: restricted, event: access('open'), entries: ALL },
  { rule: 'access.rule.fixed', what: 'a private room made public', input: restricted, event: access('restricted', 'public'), entries: LIVE },
  { rule: 'access.rule.change', what: 'a restricted room made a direct one', input: restricted, event: access('direct'), entries: LIVE },
  { rule: 'access.rule.public', what: 'a forum opened to external people', input: forum, event: access('unrestricted', 'public'), entries: LIVE },
  { rule: 'access.levels', what: 'power for external people', input: unrestricted, event: levels({ users: { ...POWER, [EVE]: 50 } }), entries: ALL, closesRoom: true, bearsLater: true },
  { rule: 'access.levels', what: 'power for everybody', input: unrestricted, event: levels({ users: POWER, users_default: 1 }), entries: ALL, closesRoom: true, bearsLater: true },
  { rule: 'access.levels.invite', what: 'invites by everybody', input: unrestricted, event: levels({ users: POWER, invite: 0 }), entries: ALL, closesRoom: true, bearsLater: true },
  { rule: 'access.direct.people', what: 'a room of three made a direct one', input: old, isOld: true, event: access('direct'), entries: LIVE },
  { rule: 'access.direct.third', what: 'a third person in a direct room', input: direct, before: [invited(BO)], event: invited(CEM), entries: ALL },
  { rule: 'access.direct.kept', what: 'another person than the one whose address was invited', input: direct, before: [ADDRESS], event: invited(CEM), entries: ['local'] },
  { rule: 'access.direct.profile', what: 'a name for a direct room', input: direct, event: ['m.room.name', '', { name: 'We two' }], entries: ALL },
  { rule: 'access.direct.public', what: 'an open door for a direct room', input: direct, event: joinRule('public'), entries: ALL, closesRoom: true },
  { rule: 'access.public', what: 'a forum that is shut', input: forum, event: joinRule('invite'), entries: LIVE },
  { rule: 'access.encryption', what: 'encryption of a forum', input: forum, event: ENCRYPTION, entries: ALL },
  { rule: 'access.guests', what: 'guests in an open room', input: linked, event: GUESTS, entries: ALL },
  { rule: 'access.guests', what: 'a room with guests that is opened', input: restricted, before: [GUESTS], event: joinRule('public'), entries: LIVE },
  { rule: 'access.redaction', what: 'the redaction of the rules', input: restricted, event: 'redaction of the rules', entries: LIVE },
  { rule: 'access.move', what: 'a change of ministry without a certificate', input: direct, event: [ACCOUNT_MOVE, '', {}], entries: ALL },
  { rule: 'access.rule.late', what: 'a room that becomes public after it was made', input: old, isOld: true, event: access('restricted', 'public'), entries: ['local'] },
] // prettier-ignore
