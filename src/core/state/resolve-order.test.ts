import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { checkAuth } from '../auth/check.js'
import type { StateMap } from './conflicted.js'
import { stateKey } from './state-key.js'
import { ALICE, BOB, EVE, start, withAlice, ZARA, type Given } from './testing-story.js'

describe('order', () => {
  const USERS = [ALICE, BOB, EVE, ZARA]
  const step = fc.record({
    branch: fc.nat(2),
    kind: fc.constantFrom('topic', 'name', 'ban', 'kick', 'join', 'levels', 'rules'),
    actor: fc.constantFrom(...USERS),
    target: fc.constantFrom(...USERS),
    level: fc.constantFrom(0, 50, 100),
    ts: fc.nat(20),
  })
  it('of states and of events in them does not change the result', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 6, 9, 10, 12),
        fc.array(step, { minLength: 4, maxLength: 25 }),
        fc.array(fc.nat(), { minLength: 6, maxLength: 6 }),
        (version, steps, dice) => {
          const { story, room } = start(version)
          const branches: StateMap[] = [room, room, room]
          for (const [index, { branch, kind, actor, target, level, ts }] of steps.entries()) {
            const state = branches[branch]!
            const name = `s${index}`
            const given: Given = { sender: actor, ts }
            const next =
            kind === 'topic' || kind === 'name' ? story.add(state, name, `m.room.${kind}`, '', given)
            : kind === 'ban' ? story.member(state, name, target, 'ban', given)
            : kind === 'kick' ? story.member(state, name, target, 'leave', given)
            : kind === 'join' ? story.member(state, name, actor, 'join', given)
            : kind === 'levels' ? story.levels(state, name, withAlice(story.rules, { [BOB]: 50, ...(target === ALICE ? {} : { [target]: level }) }), given)
            : story.add(state, name, 'm.room.join_rules', '', { ...given, content: { join_rule: level > 0 ? 'invite' : 'public' } }) // prettier-ignore
            const event = story.events.get(`$${name}`)!
            const verdict = checkAuth(
              event,
              (type, key) => story.events.get(state.get(stateKey(type, key)) ?? ''),
              () => false,
            )
            if (verdict.ok) branches[branch] = next
            else story.rejected.add(event.id)
          }
          const shuffle = <T>(items: readonly T[]): T[] =>
            items
              .map((item, index) => ({ item, key: (dice[index % 6]! * 31 + index * 17) % 101 }))
              .sort((a, b) => a.key - b.key)
              .map(({ item }) => item)
          const expected = story.resolve(...branches)
          expect(story.resolve(...shuffle(branches).map((state) => new Map(shuffle([...state]))))).toEqual(
            expected,
          )
          expect(story.resolve(...branches, branches[0]!)).toEqual(expected)
        },
      ),
      { numRuns: 300 },
    )
  })
})
