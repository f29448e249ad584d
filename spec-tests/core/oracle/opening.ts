import type { Json } from '../../../src/core/json/value.js'
import { CREATOR, USERS } from './cast.js'
import { powerLevels } from './power-levels.js'
import type { Dice } from './random.js'
import type { Action, Draft, Scene } from './scene.js'
import { joinRules } from './state-actions.js'

const member = (userId: string, intent = 'join'): Draft => ({
  intent,
  type: 'm.room.member',
  sender: userId,
  stateKey: userId,
  content: { membership: 'join' },
})

/** Power levels under which several people can fight each other. */
function shared(scene: Scene): Draft {
  const { dice, rules } = scene
  const users: Record<string, Json> = rules.creator === 'privileged' ? {} : { [CREATOR]: 100 }
  for (const user of dice.some(USERS.slice(1, 5), 2 + dice.int(3))) users[user] = dice.pick([50, 50, 75, 100, 100])
  const named = { users_default: 0, events_default: 0, state_default: 50, ban: 50, kick: 50, redact: 50 }
  const content = { users, ...named, invite: dice.pick([0, 50]), events: { 'm.room.name': dice.pick([0, 25, 75]) } }
  return { intent: 'power-levels', type: 'm.room.power_levels', sender: CREATOR, stateKey: '', content }
} // prettier-ignore

/**
 * How a room begins: most rooms get their creator, power levels and a join rule, and half of them a few people at once,
 * some with power, so that what follows is more than the refusals of strangers.
 */
export function opening(dice: Dice): Action[] {
  if (dice.chance(0.08)) return []
  const creator: Action = () => member(CREATOR, 'creator-join')
  const byCreator =
    (action: Action): Action =>
    (scene) => ({ ...action(scene)!, sender: CREATOR, stateKey: '' })
  if (dice.chance(0.35)) return [creator, byCreator(powerLevels), byCreator(joinRules)]
  const open: Action = () => ({
    intent: 'join-rules',
    type: 'm.room.join_rules',
    sender: CREATOR,
    stateKey: '',
    content: { join_rule: 'public' },
  })
  const people = dice.some(USERS.slice(1, 5), 2 + dice.int(3))
  return [creator, shared, open, ...people.map((user) => () => member(user))]
}
