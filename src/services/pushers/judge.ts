import type { RoomEvent } from '../../core/event/types.js'
import { ANYBODY, matchingRule, outcomeOf, type PushSubject } from '../../core/push-rules/evaluate.js'
import type { Action, PushRule } from '../../core/push-rules/rules.js'
import type { OwnSettings, PushRules } from '../push/push-rules.js'
import { followersOf } from '../push/followed-threads.js'
import { asksForName, joinedMembersOf, namedBy, subjectOf } from '../push/subject.js'
import { threadOf } from '../push/thread-of.js'
import { readPowerLevels, readStateEvent, type RoomsContext } from '../rooms/context.js'
import { type RoomSnapshot } from '../rooms/working-room.js'

/** The actions of the rule by which an event notifies a user; it holds `notify`. */
export type Actions = readonly Action[]

/** Judges events of one room by the rules and the state of now. */
export interface RoomJudge {
  /** Those of the users whom the event notifies. Nobody is told of what they did themselves, or of what those do whom they ignore. */
  judge(event: RoomEvent, userIds: readonly string[]): Promise<ReadonlyMap<string, Actions>>
}

export interface Judge {
  forRoom(room: RoomSnapshot): Promise<RoomJudge>
  /** An invite to a room of which nothing is known here. */
  judgeInvite(roomId: string, sender: string, userId: string): Promise<Actions | undefined>
}

function actionsOf(rule: PushRule | undefined): Actions | undefined {
  if (rule === undefined || !outcomeOf(rule.actions).notify) return undefined
  return rule.actions.filter((action) => action === 'notify' || typeof action === 'object')
}

/** Who is blocked cannot invite at all, but for the server itself, whose notices arrive in any case. */
const isUnwantedInvite = (own: OwnSettings, event: RoomEvent, userId: string): boolean =>
  event.type === 'm.room.member' &&
  event.stateKey === userId &&
  event.content['membership'] === 'invite' &&
  own.invites.of(event.sender) === 'ignore'

export function createJudge(deps: {
  readonly context: Pick<RoomsContext, 'store' | 'events' | 'states' | 'rosters'>
  readonly pushRules: Pick<PushRules, 'ownOf' | 'nobody' | 'threads' | 'rulesOf'>
}): Judge {
  const { context, pushRules } = deps

  async function forRoom(room: RoomSnapshot): Promise<RoomJudge> {
    const levels = await readPowerLevels(context, room)
    const joinedMembers = joinedMembersOf(await context.rosters.of(room.nid))

    async function displayName(userId: string): Promise<string | undefined> {
      const member = await readStateEvent(context, room, 'm.room.member', userId)
      const name = member?.event.content['displayname']
      return typeof name === 'string' ? name : undefined
    }

    const find = async (eventId: string): Promise<RoomEvent | undefined> =>
      (await context.events.byIds([eventId])).get(eventId)?.event

    return {
      async judge(event, userIds) {
        const subject = subjectOf(event, { levels, joinedMembers })
        const others = userIds.filter((userId) => userId !== event.sender)
        const settings = await pushRules.ownOf(others)
        const named = namedBy(event)
        const thread = pushRules.threads ? await threadOf(event, find) : ''
        const follows = await followersOf(context.store, pushRules, event.roomId, thread)
        const common = actionsOf(matchingRule(pushRules.nobody, subject, { follows: follows('') }))
        const told = new Map<string, Actions>()
        for (const userId of others) {
          const own = settings.get(userId)
          if (own?.ignored.has(event.sender) === true) continue
          if (own !== undefined && isUnwantedInvite(own, event, userId)) continue
          let actions = common
          const reader = { follows: follows(userId) }
          if (own?.rules !== undefined || named.has(userId) || reader.follows === true) {
            const rules = own?.rules ?? pushRules.rulesOf(userId)
            const name = asksForName(rules) ? await displayName(userId) : undefined
            actions = actionsOf(matchingRule(rules, subject, { ...reader, displayName: name }))
          }
          if (actions !== undefined) told.set(userId, actions)
        }
        return told
      },
    }
  }

  return {
    forRoom,
    async judgeInvite(roomId, sender, userId) {
      const own = (await pushRules.ownOf([userId])).get(userId)
      if (own?.ignored.has(sender) === true) return undefined
      if (own !== undefined && own.invites.of(sender) === 'ignore') return undefined
      const subject: PushSubject = {
        type: 'm.room.member',
        sender,
        roomId,
        stateKey: userId,
        content: { membership: 'invite' },
        joinedMembers: 1,
        senderLevel: 0,
        notificationLevel: () => 50,
      }
      return actionsOf(matchingRule(own?.rules ?? pushRules.rulesOf(userId), subject, ANYBODY))
    },
  }
}
