import { authEventKeys } from '../auth/auth-event-keys.js'
import type { RoomEvent } from '../event/types.js'
import type { JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { rulesOf, testEvent } from '../testing.js'
import type { StateMap } from './conflicted.js'
import { powerSort } from './power-sort.js'
import { resolveStates } from './resolve.js'
import { splitStateKey, stateKey } from './state-key.js'

// For tests: rooms told as stories.

export const ALICE = '@alice:a.example'
export const BOB = '@bob:b.example'
export const EVE = '@eve:e.example'
export const ZARA = '@zara:z.example'

export interface Given {
  readonly sender?: string
  readonly content?: JsonObject
  readonly ts?: number
  readonly depth?: number
  /** Replaces what the state at hand would give. */
  readonly auth?: readonly string[]
  readonly more?: JsonObject
}

/** A room that grows event by event; each names the auth events that a state gives it. */
export class Story {
  readonly events = new Map<string, RoomEvent>()
  readonly rejected = new Set<string>()
  readonly rules: RoomVersionRules
  private clock = 1

  constructor(version: number | string) {
    this.rules = rulesOf(version)
  }

  /** Adds an event after a state and gives the state with it. */
  add(state: StateMap, name: string, type: string, key: string, given: Given = {}): StateMap {
    const tick = this.clock++
    const sender = given.sender ?? ALICE
    const content = given.content ?? {}
    const auth =
      given.auth?.map((id) => `$${id}`) ??
      authEventKeys({ type, sender, stateKey: key, content }, this.rules).flatMap((wanted) => {
        const id = state.get(stateKey(wanted.type, wanted.stateKey))
        return id === undefined ? [] : [id]
      })
    const event = testEvent(this.rules, {
      id: `$${name}`, type, stateKey: key, sender, content, auth,
      ts: given.ts ?? tick, depth: given.depth ?? tick, roomId: '!create', prev: type === 'm.room.create' ? [] : ['$x'],
      ...(given.more === undefined ? {} : { pdu: given.more }),
    }) // prettier-ignore
    this.events.set(event.id, event)
    return new Map([...state, [stateKey(type, key), event.id]])
  }

  member(state: StateMap, name: string, user: string, membership: string, given: Given = {}): StateMap {
    const more = given.content ?? {}
    return this.add(state, name, 'm.room.member', user, {
      sender: user,
      ...given,
      content: { membership, ...more },
    })
  }

  levels(state: StateMap, name: string, users: JsonObject, given: Given = {}): StateMap {
    return this.add(state, name, 'm.room.power_levels', '', {
      ...given,
      content: { users, ...given.content },
    })
  }

  resolve(...states: readonly StateMap[]): Readonly<Record<string, string>> {
    return this.readable(this.resolved(states))
  }

  resolved(states: readonly StateMap[]): StateMap {
    return resolveStates(states, {
      rules: this.rules,
      event: (id) => this.events.get(id),
      isRejected: (id) => this.rejected.has(id),
      verifySignature: () => false,
    })
  }

  readable(state: StateMap): Readonly<Record<string, string>> {
    const out: Record<string, string> = {}
    for (const [key, id] of state) {
      const { type, stateKey: own } = splitStateKey(key)
      out[`${type.replace('m.room.', '')}${own === '' ? '' : `|${own.slice(1).split(':')[0]}`}`] = id.slice(1)
    }
    return out
  }

  sorted(...names: readonly string[]): string[] {
    const set = new Map(names.map((name) => [`$${name}`, this.events.get(`$${name}`) as RoomEvent]))
    return powerSort(set, (id) => this.events.get(id)).map((event) => event.id.slice(1))
  }
}

/** A public room of Alice's with Bob, who may set state, Eve and Zara in it. */
export function start(version: number | string): { readonly story: Story; readonly room: StateMap } {
  const story = new Story(version)
  const privileged = story.rules.creator === 'privileged'
  let room: StateMap = new Map()
  room = story.add(room, 'create', 'm.room.create', '', {
    content: story.rules.creator === 'content' ? { creator: ALICE } : {},
  })
  room = story.member(room, 'alice', ALICE, 'join', { more: { prev_events: [1] } })
  const first = story.events.get('$alice')!
  story.events.set('$alice', { ...first, prevEvents: ['$create'] })
  room = story.levels(room, 'levels', privileged ? { [BOB]: 50 } : { [ALICE]: 100, [BOB]: 50 })
  room = story.add(room, 'rules', 'm.room.join_rules', '', { content: { join_rule: 'public' } })
  for (const [name, user] of [
    ['bob', BOB],
    ['eve', EVE],
    ['zara', ZARA],
  ] as const)
    room = story.member(room, name, user, 'join')
  return { story, room }
}

/** Levels in which Alice, the creator, has all power, whatever the room version. */
export const withAlice = (rules: RoomVersionRules, users: JsonObject): JsonObject =>
  rules.creator === 'privileged' ? users : { [ALICE]: 100, ...users }
