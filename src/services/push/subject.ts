import type { PowerLevels } from '../../core/auth/power-levels.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isObject, ownValue } from '../../core/json/value.js'
import type { PushSubject } from '../../core/push-rules/evaluate.js'
import type { RuleSet } from '../../core/push-rules/rules.js'
import type { Roster } from '../rooms/roster.js'

/** Of a room, what every judgement in it looks at. */
export interface RoomFacts {
  readonly levels: PowerLevels
  readonly joinedMembers: number
}

export function joinedMembersOf({ local, servers }: Roster): number {
  let count = local.size
  for (const users of servers.values()) count += users
  return count
}

/** An event as push rules see it. */
export const subjectOf = (event: RoomEvent, { levels, joinedMembers }: RoomFacts): PushSubject => ({
  type: event.type,
  sender: event.sender,
  roomId: event.roomId,
  stateKey: event.stateKey,
  content: event.content,
  joinedMembers,
  senderLevel: levels.user(event.sender),
  notificationLevel: (kind) => levels.notification(kind),
})

/** Whether the rules look for the user's display name, which must then be read. */
export const asksForName = (rules: RuleSet): boolean =>
  [...rules.override, ...rules.underride].some((rule) =>
    rule.conditions?.some((condition) => condition.kind === 'contains_display_name'),
  )

/** Users whom the default rules may treat otherwise than others. */
export function namedBy(event: RoomEvent): ReadonlySet<string> {
  const named = new Set<string>()
  const mentions = ownValue(event.content, 'm.mentions')
  const users = isObject(mentions) ? ownValue(mentions, 'user_ids') : undefined
  for (const userId of Array.isArray(users) ? users : []) if (typeof userId === 'string') named.add(userId)
  if (event.stateKey !== undefined) named.add(event.stateKey)
  return named
}
