import { isObject, RawNumber, type Json, type JsonObject } from '../../../src/core/json/value.js'
import { CREATOR, USERS } from './cast.js'
import { actor, type Action, type Scene } from './scene.js'

const NAMED = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const
const TYPES = [
  'm.room.name',
  'm.room.power_levels',
  'm.room.message',
  'm.room.redaction',
  'org.example.custom',
]
const LEVELS = [-1, 0, 0, 1, 25, 49, 50, 50, 51, 75, 99, 100, 100, 101]

/** Values that some room version takes for a number, or that somebody might. */
const ODD_VALUES: readonly (readonly [number, Json])[] = [
  [4, '50'],
  [2, ' 50 '],
  [2, '+050'],
  [2, '-10'],
  [3, new RawNumber('50.9')],
  [2, new RawNumber('-0.5')],
  [2, new RawNumber('5e1')],
  [1, new RawNumber('1e300')],
  [1, new RawNumber('9007199254740993')],
  [1, '9007199254740992'],
  [1, '9007199254740993'],
  [1, ''],
  [1, 'admin'],
  [1, '50.0'],
  [1, null],
  [1, true],
  [1, []],
  [1, {}],
]

function level(scene: Scene): Json {
  const { dice, rules } = scene
  if (rules.powerLevels !== 'integers' && dice.chance(0.12)) return String(dice.pick(LEVELS))
  if (dice.chance(0.04)) {
    const odd = dice.weighted(ODD_VALUES)
    // A float in a room of strict JSON is no event at all: those are judged alone, not here.
    return rules.strictCanonicalJson && odd instanceof RawNumber ? '50' : odd
  }
  return dice.pick(LEVELS)
}

const mapOf = (content: JsonObject, key: string): Record<string, Json> => {
  const value = content[key]
  return isObject(value) ? { ...value } : {}
}

function firstContent(scene: Scene): JsonObject {
  const users = scene.rules.creator === 'privileged' ? {} : { [CREATOR]: 100 }
  return { users, users_default: 0, events_default: 0, state_default: 50, ban: 50, kick: 50, redact: 50, invite: 0 }
} // prettier-ignore

/** Changes one thing of the power levels. */
function change(scene: Scene, content: JsonObject): JsonObject {
  const { dice } = scene
  const edit = (key: string, names: readonly string[]): JsonObject => {
    const map = mapOf(content, key)
    if (dice.chance(0.2)) delete map[dice.pick(names)]
    else map[dice.pick(names)] = level(scene)
    return { ...content, [key]: map }
  }
  return dice.weighted<() => JsonObject>([
    [12, () => edit('users', scene.rules.creator === 'privileged' && dice.chance(0.85) ? USERS.slice(1) : USERS)],
    [4, () => edit('events', TYPES)],
    [2, () => edit('notifications', ['room', 'other'])],
    [6, () => ({ ...content, [dice.pick(NAMED)]: level(scene) })],
    [2, () => {
      const { [dice.pick(NAMED)]: _, ...rest } = content
      return rest
    }],
    [0.5, () => ({ ...content, [dice.pick(['users', 'events', 'notifications'])]: dice.weighted(ODD_VALUES.filter(([, v]) => !(v instanceof RawNumber))) })],
    [0.5, () => ({ ...content, users: { ...mapOf(content, 'users'), [dice.pick(['', 'bob', '@bob', '@:', '@b b:x', 'bob:a.example', '__proto__', '@__proto__:x'])]: 10 } })],
  ])() // prettier-ignore
}

export const powerLevels: Action = (scene) => {
  const current = scene.get('m.room.power_levels', '')
  let content = current?.content ?? firstContent(scene)
  const changes = current === undefined && scene.dice.chance(0.6) ? 0 : 1 + scene.dice.int(3)
  for (let i = 0; i < changes; i++) content = change(scene, content)
  const stateKey = scene.dice.chance(0.03) ? 'x' : ''
  return { intent: 'power-levels', type: 'm.room.power_levels', sender: actor(scene), stateKey, content }
}
