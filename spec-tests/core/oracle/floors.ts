import type { Generated } from './generate.js'

/** How often each kind of thing happened, by name. */
export type Tally = Map<string, number>

export function count(tally: Tally, name: string, by = 1): void {
  tally.set(name, (tally.get(name) ?? 0) + by)
}

/** Counts what really happened in a room: not what the generator meant, but what our core made of it. */
export function tallyRoom({ run, forgeries }: Generated, tally: Tally): void {
  const { model, blueprints } = run
  const seen = new Set<string>()
  for (const [place, judged] of model.judged.entries()) {
    const blueprint = blueprints[place]!
    count(tally, 'events')
    if (blueprint.outlier === true) {
      seen.add('outlier')
      continue
    }
    const verdict = judged.ok ? 'accepted' : 'rejected'
    count(tally, verdict)
    count(tally, `${verdict}:${blueprint.intent}`)
    count(tally, `auth:${forgeries[place] ?? 'true'}:${verdict}`)
    if (!judged.ok) {
      count(tally, `stage:${judged.stage}`)
      count(tally, `rule:${judged.rule}`)
    }
    if (blueprint.prev.length > 1) count(tally, 'merges')
    for (const kind of judged.conflicts) {
      count(tally, `conflict:${kind}`)
      seen.add('conflicts')
    }
    if (judged.conflicts.size > 0) count(tally, 'resolutions')
    if (judged.ok && judged.event.type === 'm.room.member') {
      const membership = judged.event.content['membership']
      if (membership === 'ban') seen.add('bans')
      if (blueprint.intent === 'kick') seen.add('kicks')
      if (blueprint.intent === '3pid-invite') seen.add('third-party invites')
      if (blueprint.intent === 'join-restricted') seen.add('restricted joins')
    }
    if (judged.event.type === 'm.room.power_levels') seen.add('power levels')
  }
  if (forks(blueprints) > 0) seen.add('forks')
  count(tally, 'rooms')
  for (const kind of seen) count(tally, `rooms with ${kind}`)
}

const forks = (blueprints: readonly { readonly prev: readonly number[] }[]): number => {
  const followers = new Map<number, number>()
  for (const { prev } of blueprints) {
    for (const place of prev) followers.set(place, (followers.get(place) ?? 0) + 1)
  }
  return [...followers.values()].filter((n) => n > 1).length
}

export interface Floor {
  readonly name: string
  readonly of: string
  readonly fraction: number
  readonly since?: number
  readonly until?: number
  /** Rare things need many rooms: the floor holds from this number on. */
  readonly leastRooms?: number
}

/** Minimum fractions, per room version: below them a comparison without differences would prove little. */
const FLOORS: readonly Floor[] = [
  { name: 'rooms with forks', of: 'rooms', fraction: 0.8 },
  { name: 'rooms with conflicts', of: 'rooms', fraction: 0.5 },
  { name: 'rooms with bans', of: 'rooms', fraction: 0.15 },
  { name: 'rooms with kicks', of: 'rooms', fraction: 0.1 },
  { name: 'rooms with outlier', of: 'rooms', fraction: 0.2 },
  { name: 'rooms with third-party invites', of: 'rooms', fraction: 0.004 },
  { name: 'rooms with restricted joins', of: 'rooms', fraction: 0.02, since: 8 },
  { name: 'resolutions', of: 'events', fraction: 0.05 },
  { name: 'conflict:m.room.power_levels', of: 'resolutions', fraction: 0.1 },
  { name: 'conflict:m.room.join_rules', of: 'resolutions', fraction: 0.05 },
  { name: 'conflict:m.room.member', of: 'resolutions', fraction: 0.3 },
  { name: 'conflict:other', of: 'resolutions', fraction: 0.1 },
  { name: 'accepted', of: 'events', fraction: 0.35 },
  { name: 'rejected', of: 'events', fraction: 0.15 },
  { name: 'stage:missing', of: 'rejected', fraction: 0.003 },
  { name: 'stage:independent', of: 'rejected', fraction: 0.03 },
  { name: 'stage:claimed', of: 'rejected', fraction: 0.3 },
  { name: 'stage:before', of: 'rejected', fraction: 0.005 },
  { name: 'auth:stale:accepted', of: 'events', fraction: 0.002 },
  { name: 'auth:stale:rejected', of: 'events', fraction: 0.002 },
  { name: 'auth:elsewhere:accepted', of: 'events', fraction: 0.005 },
  { name: 'auth:elsewhere:rejected', of: 'events', fraction: 0.01 },
  { name: 'auth:dropped:rejected', of: 'events', fraction: 0.002 },
  { name: 'auth:surplus:rejected', of: 'events', fraction: 0.002 },
  { name: 'auth:repeated:rejected', of: 'events', fraction: 0.001 },
  { name: 'auth:duplicate-key:rejected', of: 'events', fraction: 0.001 },
  { name: 'auth:rejected:rejected', of: 'events', fraction: 0.001 },
  { name: 'auth:other-room:rejected', of: 'events', fraction: 0.0002 },
  { name: 'accepted:power-levels', of: 'events', fraction: 0.02 },
  { name: 'rejected:power-levels', of: 'events', fraction: 0.01 },
  { name: 'accepted:invite', of: 'events', fraction: 0.005 },
  { name: 'accepted:unban', of: 'events', fraction: 0.001 },
  { name: 'accepted:knock', of: 'events', fraction: 0.0002, since: 7 },
  { name: 'accepted:redaction', of: 'events', fraction: 0.002 },
  { name: 'accepted:aliases', of: 'events', fraction: 0.001 },
]

/** Rules that must have refused something, where the version has them: otherwise nothing was compared about them. */
const RULES: readonly (readonly [since: number, until: number, rules: readonly string[]])[] = [
  [1, 12, ['sender', 'level', 'state_key', 'federate', 'create.missing', 'third_party_invite.level']],
  [1, 12, ['auth_events.duplicate', 'auth_events.surplus', 'auth_events.rejected', 'auth_events.room']],
  [1, 11, ['auth_events.create', 'create.prev_events']],
  [1, 10, ['create.creator']],
  [12, 12, ['create.additional_creators', 'room.create', 'power_levels.creators']],
  [1, 12, ['create.room_version']],
  [1, 5, ['aliases.state_key', 'aliases.server']],
  [1, 2, ['redaction']],
  [1, 12, ['member.state_key', 'member.membership', 'member.unknown', 'member.target']],
  [1, 12, ['member.join.sender', 'member.join.banned', 'member.join.invite', 'member.join.rule']],
  [8, 12, ['member.join.restricted', 'member.join.restricted.member', 'member.join.restricted.level']],
  [1, 12, ['member.invite.sender', 'member.invite.target', 'member.invite.level']],
  [1, 12, ['signed', 'fields', 'mxid', 'token', 'sender', 'signature', 'banned'].map((rule) => `member.invite.3pid.${rule}`)],
  [1, 12, ['member.leave.outside', 'member.leave.sender', 'member.leave.unban', 'member.leave.kick']],
  [1, 12, ['member.ban.sender', 'member.ban.level']],
  [7, 12, ['member.knock.rule', 'member.knock.sender', 'member.knock.membership']],
  [1, 12, ['power_levels.users', 'power_levels.level', 'power_levels.events']],
  [6, 12, ['power_levels.notifications']],
  [1, 12, ['power_levels.users.equal', 'power_levels.users.level']],
  [10, 12, ['power_levels.integer', 'power_levels.map']],
] // prettier-ignore

/** Of several thousand rooms' rejections these are a handful; the floor is that they are not none. */
const RULE_FLOOR = 0.00002

/** The floors that hold for a room version. */
export function floorsOf(version: string): Floor[] {
  const number = Number(version)
  const rules = RULES.filter(([since, until]) => since <= number && number <= until).flatMap(([, , names]) => names)
  return [
    ...FLOORS.filter(({ since, until }) => number >= (since ?? 1) && number <= (until ?? 12)),
    ...rules.map((rule) => ({ name: `rule:${rule}`, of: 'rejected', fraction: RULE_FLOOR, leastRooms: 2_000 })),
  ]
} // prettier-ignore
