import { expect } from '@jest/globals'
import { enc, inRoom, type User } from './client.js'
import type { Homeserver } from './homeserver.js'

/** An event as any operation may give it. */
export interface GivenEvent {
  readonly event_id: string
  readonly state_key?: string
  readonly unsigned?: Readonly<Record<string, unknown>>
}

/** Members of an event of old, which some servers still give beside those of the specification, and not by every operation. */
const OF_OLD = { user_id: undefined, replaces_state: undefined, prev_content: undefined }

/** Without what changes with time, and who else was in the room, which not every operation tells. */
function lasting(event: GivenEvent, withUnsigned: boolean): unknown {
  const kept = (name: string, value: unknown): unknown => {
    if (name !== 'unsigned') return value
    return { ...(value as object), age: undefined, membership: undefined }
  }
  const top = withUnsigned ? { unsigned: {}, ...event } : { ...event, ...OF_OLD, unsigned: undefined }
  return JSON.parse(JSON.stringify({ ...top, age: undefined }, kept))
}

/**
 * Holds events to what `GET /rooms/{roomId}/event/{eventId}` gives the same user of them, so that nothing is missing or otherwise. What
 * servers put into `unsigned` is held on a node of ours alone: the specification leaves most of it to them.
 */
export async function expectAsAlone(
  server: Homeserver,
  user: User,
  roomId: string,
  events: readonly GivenEvent[],
): Promise<void> {
  expect(events.length).toBeGreaterThan(0)
  for (const event of events) {
    const alone: GivenEvent = await user.ok('GET', inRoom(roomId, `event/${enc(event.event_id)}`))
    expect(lasting(event, server.own)).toEqual(lasting(alone, server.own))
  }
}
