import { buildEvent } from '../../../core/event/build.js'
import type { Signer } from '../../../core/event/sign.js'
import type { RoomEvent } from '../../../core/event/types.js'
import type { JsonObject } from '../../../core/json/value.js'
import { roomVersion } from '../../../core/room-version/versions.js'

export interface BigRoom {
  readonly roomId: string
  readonly creator: string
  readonly state: readonly RoomEvent[]
  readonly authChain: readonly RoomEvent[]
  /** The answer to `make_join`. */
  template(userId: string): JsonObject
}

/**
 * For tests: a public room of version 11 with this many members, spread over some servers, each of whom has joined and then
 * changed their name `changes` times: every change rests on the one before.
 */
export function bigRoom(signers: readonly Signer[], members: number, changes: number, name = 'big'): BigRoom {
  const rules = roomVersion('11')!
  const [first] = signers
  const server = first!.serverName
  const roomId = `!${name}:${server}`
  const creator = `@creator:${server}`
  let depth = 0
  let previous: RoomEvent | undefined
  const make = (
    signer: Signer,
    fields: {
      type: string
      sender: string
      stateKey: string
      content: JsonObject
      auth: readonly RoomEvent[]
    },
  ): RoomEvent => {
    depth += 1
    previous = buildEvent(
      {
        ...fields,
        roomId,
        depth,
        originServerTs: 1_700_000_000_000 + depth,
        prevEvents: previous === undefined ? [] : [previous.id],
        authEvents: fields.auth.map((event) => event.id),
      },
      rules,
      signer,
    )
    return previous
  }
  const own = { sender: creator }
  const create = make(first!, {
    ...own,
    type: 'm.room.create',
    stateKey: '',
    content: { room_version: '11' },
    auth: [],
  })
  const owner = make(first!, { ...own, type: 'm.room.member', stateKey: creator, content: { membership: 'join' }, auth: [create] }) // prettier-ignore
  const power = make(first!, { ...own, type: 'm.room.power_levels', stateKey: '', content: { users: { [creator]: 100 } }, auth: [create, owner] }) // prettier-ignore
  const rule = make(first!, { ...own, type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'public' }, auth: [create, owner, power] }) // prettier-ignore
  const state = [create, owner, power, rule]
  const authChain = [create, owner, power, rule]
  for (let i = 0; i < members; i++) {
    const signer = signers[i % signers.length]!
    const userId = `@member${i}:${signer.serverName}`
    let current: RoomEvent | undefined
    for (let change = 0; change <= changes; change++) {
      if (current !== undefined) authChain.push(current)
      current = make(signer, {
        type: 'm.room.member',
        sender: userId,
        stateKey: userId,
        content: { membership: 'join', displayname: `Member ${i}, name ${change}` },
        auth: [create, power, rule, ...(current === undefined ? [] : [current])],
      })
    }
    state.push(current!)
  }
  return {
    roomId,
    creator,
    state,
    authChain,
    template: (userId) => ({
      room_version: '11',
      event: {
        type: 'm.room.member',
        room_id: roomId,
        sender: userId,
        state_key: userId,
        content: { membership: 'join' },
        depth: depth + 1,
        prev_events: [previous!.id],
        auth_events: [create.id, power.id, rule.id],
      },
    }),
  }
}
