import type { RoomEvent } from '../../../core/event/types.js'
import type { JsonObject } from '../../../core/json/value.js'
import { sendMembership, withSomeServer, type HandshakeDeps } from './handshake.js'
import { readSmallAnswer } from '../peers/peer-answer.js'
import { eventFromTemplate, requestTemplate } from '../peers/template.js'

/**
 * Rejects an invite to, takes back a knock at, or leaves a room that this server is not in.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#leaving-rooms-rejecting-invites
 */
export async function leaveRemote(
  deps: HandshakeDeps,
  userId: string,
  roomId: string,
  via: readonly string[],
  content: JsonObject,
): Promise<RoomEvent> {
  const timeoutMs = deps.options?.requestTimeoutMs ?? 20_000
  return withSomeServer(deps, via, async (server) => {
    const template = await requestTemplate(deps.client, { kind: 'leave', server, roomId, userId, timeoutMs })
    const event = eventFromTemplate(deps.context, template, { roomId, userId, content })
    await readSmallAnswer(await sendMembership(deps, 'leave', server, event))
    return event
  })
}
