import { ACCESS_RULES } from '../../core/access-rules/room-access.js'
import { RETENTION, roomKind, type RetentionPolicy } from '../../core/retention.js'
import type { JsonObject } from '../../core/json/value.js'
import { presetOf, type CreateRoomInput } from './create-room-input.js'

/** What a client asks for in `createRoom`, with the usual lifetime of rooms of its kind where it asks for none. */
export function withRetention(input: CreateRoomInput, policy: RetentionPolicy): CreateRoomInput {
  const given = input.initial_state ?? []
  const of = (type: string): JsonObject | undefined =>
    given.findLast((item) => item.type === type && (item.state_key ?? '') === '')?.content
  if (!policy.setAtCreation || of(RETENTION.type) !== undefined) return input
  const preset = { join_rule: presetOf(input) === 'public_chat' ? 'public' : 'invite' }
  const access = of(ACCESS_RULES.type) ?? (input.is_direct === true ? { rule: 'direct' } : undefined)
  const { usual, most } = policy.lifetimes[roomKind(of('m.room.join_rules') ?? preset, access)]
  const lifetime = usual ?? most
  if (lifetime === undefined) return input
  const content = { max_lifetime: lifetime }
  return { ...input, initial_state: [...given, { type: RETENTION.type, content }] }
}
