import { ownValue, type JsonObject } from './json/value.js'

/** The state that says how long what is said in a room lives. MSC1763: clients know it by this name. */
export const RETENTION = { type: 'm.room.retention', stateKey: '' } as const

/** How long what is said in rooms of one kind lives, in milliseconds; undefined: no bound, for ever. */
export interface Lifetimes {
  /** A room that asks for less gets this. */
  readonly least: number
  /** A room that asks for more gets this. */
  readonly most: number | undefined
  /** A room that asks for nothing gets this. */
  readonly usual: number | undefined
}

/** Of a room that everybody may enter; of one for two people; of all others. */
export type RoomKind = 'public' | 'direct' | 'private'

export interface RetentionPolicy {
  readonly lifetimes: Readonly<Record<RoomKind, Lifetimes>>
  /** Whether a room that is made here is told the usual lifetime of its kind. */
  readonly setAtCreation: boolean
}

/** By the content of its join rules and of its access rules. */
export function roomKind(joinRules: JsonObject | undefined, accessRules: JsonObject | undefined): RoomKind {
  if (joinRules !== undefined && ownValue(joinRules, 'join_rule') === 'public') return 'public'
  return accessRules !== undefined && ownValue(accessRules, 'rule') === 'direct' ? 'direct' : 'private'
}

/** A whole number of milliseconds that the room asks for; undefined for nothing, and for what is no such number. */
function asked(content: JsonObject | undefined, name: 'max_lifetime' | 'min_lifetime'): number | undefined {
  const value = content === undefined ? undefined : ownValue(content, name)
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** How long what is said in a room lives, in milliseconds; undefined: for ever. What it asks for counts within the bounds of its kind. */
export function lifetimeOf(
  content: JsonObject | undefined,
  { least, most, usual }: Lifetimes,
): number | undefined {
  const wish = asked(content, 'max_lifetime') ?? usual
  const floor = Math.max(least, asked(content, 'min_lifetime') ?? 0)
  if (wish === undefined) return most
  return Math.min(Math.max(wish, floor), most ?? Infinity)
}

/** Why nobody of this server may say this of a room; undefined where they may. In words for the person. */
export function refusedRetention(content: JsonObject, { least, most }: Lifetimes): string | undefined {
  const wish = asked(content, 'max_lifetime')
  const floor = asked(content, 'min_lifetime')
  for (const name of ['max_lifetime', 'min_lifetime'] as const)
    if (ownValue(content, name) !== undefined && asked(content, name) === undefined)
      return `${name} must be a number of milliseconds`
  if (most !== undefined && (wish === undefined || wish > most))
    return `Messages in rooms of this kind are kept for ${days(most)} at most`
  if (wish !== undefined && wish < least)
    return `Messages in rooms of this kind are kept for ${days(least)} at least`
  if (wish !== undefined && floor !== undefined && floor > wish)
    return 'min_lifetime is longer than max_lifetime'
  return undefined
}

function days(ms: number): string {
  const count = Math.round(ms / 86_400_000)
  return ms < 86_400_000 ? `${Math.round(ms / 3_600_000)} hours` : `${count} ${count === 1 ? 'day' : 'days'}`
}
