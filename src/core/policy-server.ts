import type { VerifySignature } from './auth/state-lookup.js'
import { eventSigningInput, signaturesOf } from './event/sign.js'
import type { RoomEvent } from './event/types.js'
import { isServerName } from './ids/server-name.js'
import { isObject, ownValue, type JsonObject } from './json/value.js'

/** The server that a room has named to look at every event before it counts. */
export interface PolicyServer {
  readonly serverName: string
  /** Unpadded base64, of Ed25519. */
  readonly publicKey: string
}

/** The state that names it. */
export const POLICY_STATE = { type: 'm.room.policy', stateKey: '' } as const
/** Whatever the server's own keys are called. */
export const POLICY_KEY_ID = 'ed25519:policy_server'

/**
 * The policy server that the content of `m.room.policy` names; undefined where it names none. That it has a user in the room is for the
 * caller to see.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room
 */
export function policyServerIn(content: JsonObject | undefined): PolicyServer | undefined {
  if (content === undefined) return undefined
  const serverName = ownValue(content, 'via')
  const keys = ownValue(content, 'public_keys')
  const publicKey = isObject(keys) ? ownValue(keys, 'ed25519') : undefined
  if (typeof serverName !== 'string' || !isServerName(serverName) || typeof publicKey !== 'string')
    return undefined
  return { serverName, publicKey }
}

/** All events but those that name the policy server itself, so that a room can be rid of one that is gone. */
export const needsPolicySignature = ({ type, stateKey }: Pick<RoomEvent, 'type' | 'stateKey'>): boolean =>
  !(type === POLICY_STATE.type && stateKey === POLICY_STATE.stateKey)

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#validating-policy-server-signatures */
export function isSignedByPolicy(
  event: RoomEvent,
  { serverName, publicKey }: PolicyServer,
  verifySignature: VerifySignature,
): boolean {
  const signature = signaturesOf(event.pdu, serverName).get(POLICY_KEY_ID)
  return (
    signature !== undefined &&
    verifySignature(publicKey, eventSigningInput(event.pdu, event.rules), signature)
  )
}
