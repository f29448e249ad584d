import { authEventKeys } from '../../../src/core/auth/auth-event-keys.js'
import type { RoomEvent } from '../../../src/core/event/types.js'
import type { Json, JsonObject } from '../../../src/core/json/value.js'
import type { RoomVersion, RoomVersionRules } from '../../../src/core/room-version/rules.js'
import { ROOM_VERSIONS } from '../../../src/core/room-version/versions.js'
import { stateKey } from '../../../src/core/state/state-key.js'
import type { Blueprint, Room } from './blueprint.js'
import { CREATOR, domainOf, USERS } from './cast.js'
import { forgeAuth, type Forgery } from './forge.js'
import { createGraph, type Graph } from './graph.js'
import { mutate } from './mutate.js'
import { MEMBERSHIP_ACTIONS } from './membership-actions.js'
import type { StateIds } from './model.js'
import { opening } from './opening.js'
import { dice, type Dice } from './random.js'
import { createRun, type Run } from './run.js'
import type { Action, Draft, Scene } from './scene.js'
import { STATE_ACTIONS } from './state-actions.js'

export interface Generated {
  readonly room: Room
  readonly run: Run
  /** How the auth events of each event were chosen, in the order of the blueprints. */
  readonly forgeries: readonly Forgery[]
}

const ACTIONS = [...MEMBERSHIP_ACTIONS, ...STATE_ACTIONS]
const LOOSE_PER_ROOM = 2
const START = 1_700_000_000_000

/** A random room, the same for the same seed: between 10 and 40 events, most rooms small. */
export function generateRoom(seed: number, version: RoomVersion): Generated {
  const d = dice(seed)
  const rules = ROOM_VERSIONS.get(version)!
  const run = createRun(version)
  const graph = createGraph(d)
  const forgeries: Forgery[] = []
  const refused: Json[] = []
  const size = d.chance(0.15) ? 25 + d.int(16) : 10 + d.int(14)

  const add = (blueprint: Blueprint, forgery: Forgery): void => {
    const judged = run.add(blueprint)
    if ('refused' in judged) {
      if (judged.refused !== undefined) refused.push(judged.refused)
      return
    }
    forgeries.push(forgery)
    graph.add(blueprint)
  }

  add(createEvent(d, rules, CREATOR), 'true')
  if (run.blueprints.length === 0) throw new Error(`seed ${seed}: a create event was refused for its format`)
  if (d.chance(0.3)) add({ ...createEvent(d, rules, CREATOR), outlier: true, intent: 'outlier' }, 'true')
  const first = opening(d)
  // A blueprint refused for its format is not added: the bound keeps a generator gone wrong from turning for ever.
  for (let tries = 0; run.blueprints.length < size && tries < size * 3; tries++) {
    const next = first.shift()
    const prev = next === undefined ? graph.predecessors() : graph.heads()
    const before = run.model.stateAfter(prev)
    // Somebody who acts as if the room stood as it stood elsewhere: cites what they were, not what they are.
    const elsewhere = next === undefined && d.chance(0.1)
    const view = elsewhere ? run.model.stateAfter([d.pick(graph.places())]) : before
    const draft = propose(d, rules, run, view, next)
    if (draft === undefined) continue
    const selected = selectAuth(draft, rules, run, view)
    const { auth, forgery } =
      next !== undefined || elsewhere
        ? { auth: selected, forgery: elsewhere ? ('elsewhere' as const) : ('true' as const) }
        : forgeAuth(d, rules, selected, run.model.known)
    add(blueprintOf(d, draft, prev, auth, graph), forgery)
  }
  const loose = [...refused, ...looseOf(d, rules, run)]
  return { room: { version, blueprints: run.blueprints, loose }, run, forgeries }
} // prettier-ignore

function propose(
  d: Dice,
  rules: RoomVersionRules,
  run: Run,
  before: StateIds,
  next: Action | undefined,
): Draft | undefined {
  const get = (type: string, key: string): RoomEvent | undefined => {
    const id = before.get(stateKey(type, key))
    return id === undefined ? undefined : run.model.byId(id)
  }
  const scene: Scene = { dice: d, rules, size: run.blueprints.length, get }
  return next === undefined ? d.weighted(ACTIONS)(scene) : next(scene)
}

function selectAuth(draft: Draft, rules: RoomVersionRules, run: Run, before: StateIds): number[] {
  return authEventKeys(draft, rules).flatMap((key) => {
    const id = before.get(stateKey(key.type, key.stateKey))
    const place = id === undefined ? undefined : run.model.placeOf(id)
    return place === undefined ? [] : [place]
  })
}

function blueprintOf(
  d: Dice,
  draft: Draft,
  prev: readonly number[],
  auth: readonly (number | string)[],
  graph: Graph,
): Blueprint {
  return {
    ...draft,
    prev,
    auth,
    depth: d.chance(0.75) ? graph.depthAfter(prev) : 1 + d.int(12),
    ts: START + d.int(8),
    idDomain: d.chance(0.95) ? domainOf(draft.sender) : 'b.example',
    idLocalpart: `e${graph.size()}-${d.int(1_000_000)}`,
  }
}

function createEvent(d: Dice, rules: RoomVersionRules, sender: string): Blueprint {
  const content: Record<string, Json> = { 'org.example.n': d.int(1_000_000) }
  if (!d.chance(rules.id === '1' ? 0.2 : 0.02)) content['room_version'] = rules.id
  if (rules.creator === 'content' && !d.chance(0.01)) {
    content['creator'] = d.chance(0.95) ? sender : d.pick<Json>([USERS[1], 'alice', ''])
  }
  if (d.chance(0.06)) content['m.federate'] = d.chance(0.8) ? false : true
  if (rules.creator === 'privileged' && d.chance(0.35)) {
    const others: Json[] = d.some(USERS.slice(1), 1 + d.int(2))
    content['additional_creators'] = d.chance(0.95) ? others : d.pick<Json>([['bob'], 'x', [5], {}, [null]])
  }
  if (d.chance(0.01)) content['room_version'] = d.pick<Json>(['99', 'x', 1, null])
  return {
    intent: 'create',
    type: 'm.room.create',
    sender,
    stateKey: '',
    content: content as JsonObject,
    prev: [],
    auth: [],
    depth: 1,
    ts: START,
    idDomain: domainOf(sender),
    idLocalpart: `create-${d.int(1_000_000)}`,
  }
}

function looseOf(d: Dice, rules: RoomVersionRules, run: Run): Json[] {
  return Array.from({ length: LOOSE_PER_ROOM }, () => mutate(d, rules, d.pick(run.pdus) as JsonObject))
}
