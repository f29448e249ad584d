import type { Json } from '../../../src/core/json/value.js'
import { domainOf, USERS } from './cast.js'
import { powerLevels } from './power-levels.js'
import { actor, type Action, type Scene } from './scene.js'

function joinRule(scene: Scene): Json {
  const { rules, dice } = scene
  return dice.weighted<Json>([
    [5, 'public'],
    [4, 'invite'],
    [rules.knock ? 4 : 1, 'knock'],
    [rules.restrictedJoin ? 5 : 1, 'restricted'],
    [rules.knockRestricted ? 4 : 1, 'knock_restricted'],
    [0.5, 'private'],
    [0.2, null],
    [0.2, 7],
  ])
}

export const joinRules: Action = (scene) => ({
  intent: 'join-rules',
  type: 'm.room.join_rules',
  sender: actor(scene),
  stateKey: scene.dice.chance(0.03) ? 'x' : '',
  content: scene.dice.chance(0.02)
    ? {}
    : { join_rule: joinRule(scene), allow: [{ type: 'm.room_membership', room_id: '!space:a.example' }] },
})

const plain =
  (type: string, key: string, values: readonly Json[]): Action =>
  (scene) => ({
    intent: 'state',
    type,
    sender: actor(scene),
    stateKey: '',
    content: { [key]: scene.dice.pick(values) },
  })

const custom: Action = (scene) => {
  const sender = actor(scene)
  const stateKey = scene.dice.weighted([
    [3, ''],
    [2, sender],
    [2, scene.dice.pick(USERS)],
    [1, '@'],
    [1, '__proto__'],
    [1, 'ключ\u{1f600}'],
  ])
  return { intent: 'state', type: 'org.example.custom', sender, stateKey, content: { n: scene.size } }
}

const message: Action = (scene) => ({
  intent: 'message',
  type: 'm.room.message',
  sender: actor(scene),
  content: { body: `n° ${scene.size}`, msgtype: 'm.text' },
})

const redaction: Action = (scene) => ({
  intent: 'redaction',
  type: 'm.room.redaction',
  sender: actor(scene),
  content: { reason: 'x' },
  redacts: scene.dice.int(scene.size),
})

const aliases: Action = (scene) => {
  const sender = scene.dice.chance(0.3) ? scene.dice.pick(USERS) : actor(scene)
  const draft = { intent: 'aliases', type: 'm.room.aliases', sender, content: { aliases: ['#x:a.example'] } }
  if (scene.dice.chance(0.05)) return draft
  const stateKey = scene.dice.weighted([
    [6, domainOf(sender)],
    [2, 'b.example'],
    [1, ''],
  ])
  return { ...draft, stateKey }
}

const secondCreate: Action = (scene) => ({
  intent: 'second-create',
  type: 'm.room.create',
  sender: actor(scene),
  stateKey: scene.rules.roomIds === 'create-hash' ? '' : scene.dice.pick(['', 'x']),
  content: { creator: actor(scene), room_version: scene.rules.id },
})

export const STATE_ACTIONS: readonly (readonly [number, Action])[] = [
  [16, powerLevels],
  [7, joinRules],
  [4, plain('m.room.name', 'name', ['One', 'Two', 'Three', 5])],
  [4, plain('m.room.topic', 'topic', ['a', 'b'])],
  [3, plain('m.room.history_visibility', 'history_visibility', ['shared', 'joined', 'invited', 'world_readable'])],
  [4, custom],
  [4, message],
  [3, redaction],
  [2, aliases],
  [0.5, secondCreate],
] // prettier-ignore
