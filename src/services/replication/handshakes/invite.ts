import { eventSigningInput, signaturesOf } from '../../../core/event/sign.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import { encodePath, FederationError } from '../../federation/client.js'
import { readStateEvent } from '../../rooms/context.js'
import { strippedStateEvents } from '../../rooms/stripped-state.js'
import type { HandshakeDeps } from './handshake.js'
import { readSmallAnswer } from '../peers/peer-answer.js'
import { badAnswer, isUnrecognized, matrixErrorOf } from '../peers/peer-failure.js'
import { withSignaturesOf } from '../peers/same-event.js'

/**
 * Has the invited user's server sign an invite of ours; gives it with that signature. Throws `MatrixError`.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room
 */
export async function inviteRemote(
  deps: HandshakeDeps,
  event: RoomEvent,
  server: string,
): Promise<RoomEvent> {
  try {
    return await signedBy(deps, event, server, await send(deps, event, server))
  } catch (error) {
    if (error instanceof FederationError) throw matrixErrorOf([error])
    throw error
  }
}

async function send(deps: HandshakeDeps, event: RoomEvent, server: string): Promise<Json | undefined> {
  const { client, context, options = {} } = deps
  const state = await stateToShow(deps, event)
  const put = async (version: 'v1' | 'v2', body: JsonObject): Promise<Json> => {
    const answer = await client.requestStream({
      destination: server,
      method: 'PUT',
      path: encodePath(`/_matrix/federation/${version}`, 'invite', event.roomId, event.id),
      body,
      timeoutMs: options.requestTimeoutMs ?? 20_000,
      maxBytes: 1024 * 1024,
    })
    return readSmallAnswer(answer.body)
  }
  let answer: Json
  try {
    answer = await put('v2', { event: event.pdu, room_version: event.rules.id, invite_room_state: state })
  } catch (error) {
    // The first version cannot say what version the room has.
    const older = event.rules.eventIds === 'on-the-wire'
    const retry = isUnrecognized(error) || (error instanceof FederationError && error.status === 400)
    if (!older || !retry) throw error
    context.logger.debug({ server }, 'an invite is sent by the first version of the endpoint')
    const list = await put('v1', { ...event.pdu, unsigned: { invite_room_state: state } })
    answer = Array.isArray(list) ? ((list as readonly Json[])[1] ?? null) : list
  }
  return isObject(answer) ? ownValue(answer, 'event') : undefined
}

/** What the invited user's server is shown, as whole events: it can check them. */
async function stateToShow({ context }: HandshakeDeps, event: RoomEvent): Promise<JsonObject[]> {
  const room = await context.loader.load(event.roomId)
  if (room === undefined) return []
  const state = await strippedStateEvents(context, room)
  const inviter = await readStateEvent(context, room, 'm.room.member', event.sender)
  return [...state, ...(inviter === undefined ? [] : [inviter])].map((stored) => stored.event.pdu)
}

/** Our event with the other server's signature, which must be valid. */
async function signedBy(
  deps: HandshakeDeps,
  event: RoomEvent,
  server: string,
  json: Json | undefined,
): Promise<RoomEvent> {
  const signed = withSignaturesOf(event, server, json ?? null)
  const [verdict] = await deps.keys.verify([
    {
      serverName: server,
      signatures: signaturesOf(signed.pdu, server),
      bytes: eventSigningInput(event.pdu, event.rules),
      at: event.originServerTs,
      enforceValidity: event.rules.enforceKeyValidity,
      use: 'event',
    },
  ])
  if (verdict?.ok !== true) throw badAnswer('the invited server has not signed the invite')
  return signed
}
