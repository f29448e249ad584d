import type { RoomEvent } from '../../../src/core/event/types.js'
import { isObject, type JsonObject } from '../../../src/core/json/value.js'
import type { RoomVersionRules } from '../../../src/core/room-version/rules.js'
import { CREATOR, USERS } from './cast.js'
import type { Dice } from './random.js'

/** What an action sees: the room as it stands before the event that the action proposes. */
export interface Scene {
  readonly dice: Dice
  readonly rules: RoomVersionRules
  /** The number of events so far; the first is the create event. */
  readonly size: number
  get(type: string, stateKey: string): RoomEvent | undefined
}

/** An event as an action proposes it; the generator adds its place in the graph. */
export interface Draft {
  readonly intent: string
  readonly type: string
  readonly sender: string
  readonly stateKey?: string
  readonly content: JsonObject
  readonly redacts?: number
  readonly extra?: JsonObject
  /** Another sender than the one that `membership` of the state would suggest is meant. */
  readonly idDomain?: string
}

export type Action = (scene: Scene) => Draft | undefined

export function membershipOf(scene: Scene, userId: string): string {
  const membership = scene.get('m.room.member', userId)?.content['membership']
  return typeof membership === 'string' ? membership : 'none'
}

export const usersWith = (scene: Scene, ...memberships: string[]): string[] =>
  USERS.filter((user) => memberships.includes(membershipOf(scene, user)))

/** A rough power level: good enough to choose an actor, never used to judge one. */
export function roughLevel(scene: Scene, userId: string): number {
  if (scene.rules.creator === 'privileged' && userId === CREATOR) return 1_000
  const levels = scene.get('m.room.power_levels', '')?.content
  if (levels === undefined) return userId === CREATOR ? 100 : 0
  const users = levels['users']
  const level = isObject(users) && Object.hasOwn(users, userId) ? users[userId] : levels['users_default']
  const rough = Number(level ?? 0)
  return Number.isFinite(rough) ? rough : 0
}

/** Somebody who acts: mostly a joined user, often one with power, sometimes anybody at all. */
export function actor(scene: Scene): string {
  const joined = usersWith(scene, 'join')
  if (joined.length === 0 || scene.dice.chance(0.08)) return scene.dice.pick(USERS)
  if (scene.dice.chance(0.45)) {
    return joined.toSorted((x, y) => roughLevel(scene, y) - roughLevel(scene, x))[0]!
  }
  return scene.dice.pick(joined)
}

/** Somebody acted on: mostly a user with one of the memberships, else anybody. */
export function target(scene: Scene, ...memberships: string[]): string {
  const fitting = usersWith(scene, ...memberships)
  return fitting.length === 0 || scene.dice.chance(0.12) ? scene.dice.pick(USERS) : scene.dice.pick(fitting)
}
