import { ownValue } from '../json/value.js'
import type { RoomEvent } from '../event/types.js'

/** The state against which an event is judged. */
export type StateLookup = (type: string, stateKey: string) => RoomEvent | undefined

/**
 * Whether an Ed25519 signature is right: public key and signature as base64 text that others wrote, the message as the
 * bytes that were signed. Never throws.
 */
export type VerifySignature = (publicKey: string, message: Uint8Array, signature: string) => boolean

export type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock'

/** What a user is in the room; undefined for those without a member event, or with one that says something else. */
export function membershipOf(state: StateLookup, userId: string): Membership | undefined {
  const event = state('m.room.member', userId)
  return event === undefined ? undefined : membershipIn(event)
}

export function membershipIn(event: { readonly content: RoomEvent['content'] }): Membership | undefined {
  const membership = ownValue(event.content, 'membership')
  return isMembership(membership) ? membership : undefined
}

const MEMBERSHIPS: ReadonlySet<unknown> = new Set(['join', 'invite', 'leave', 'ban', 'knock'])
const isMembership = (value: unknown): value is Membership => MEMBERSHIPS.has(value)

/** The user who made the room: named in the create event's content in old room versions, its sender later. */
export function creatorOf(create: RoomEvent): string | undefined {
  if (create.rules.creator !== 'content') return create.sender
  const creator = ownValue(create.content, 'creator')
  return typeof creator === 'string' ? creator : undefined
}

/** Those with unlimited power: from room version 12 the sender of the create event and its additional creators. */
export function isPrivilegedCreator(create: RoomEvent, userId: string): boolean {
  if (create.rules.creator !== 'privileged') return false
  return create.sender === userId || additionalCreators(create).includes(userId)
}

/** The strings among `additional_creators`; an accepted create event has no others. */
export function additionalCreators(create: Pick<RoomEvent, 'content'>): readonly string[] {
  const list = ownValue(create.content, 'additional_creators')
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : []
}

/** Who may join: `invite` where nothing is said, undefined where the rule is not text. */
export function joinRule(state: StateLookup): string | undefined {
  const event = state('m.room.join_rules', '')
  if (event === undefined || !Object.hasOwn(event.content, 'join_rule')) return 'invite'
  const rule = event.content['join_rule']
  return typeof rule === 'string' ? rule : undefined
}
