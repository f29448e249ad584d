import type { JsonObject } from '../../core/json/value.js'
import type { Draft } from './local-event.js'

/** What a user of this server says of somebody's membership; `ts` in milliseconds, where the sender may choose it. */
export const member = (
  sender: string,
  input: { readonly roomId: string; readonly userId: string; readonly ts?: number | undefined },
  content: JsonObject,
): Draft & { roomId: string } => ({
  roomId: input.roomId,
  type: 'm.room.member',
  sender,
  stateKey: input.userId,
  originServerTs: input.ts,
  content,
})

export const withReason = (content: JsonObject, reason: string | undefined): JsonObject =>
  reason === undefined ? content : { ...content, reason }
