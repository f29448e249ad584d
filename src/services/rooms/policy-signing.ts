import { forbidden, MatrixError } from '../../core/errors.js'
import type { RoomEvent } from '../../core/event/types.js'
import {
  isSignedByPolicy,
  needsPolicySignature,
  POLICY_STATE,
  type PolicyServer,
} from '../../core/policy-server.js'
import { readStateEvent, type RoomsContext } from './context.js'
import { policyServerOf } from './policy-servers.js'

async function policyOf(context: RoomsContext, roomId: string): Promise<PolicyServer | undefined> {
  const room = await context.loader.load(roomId)
  if (room?.root === undefined) return undefined
  const named = await readStateEvent(context, room, POLICY_STATE.type, POLICY_STATE.stateKey)
  if (named === undefined) return undefined
  return policyServerOf(named, await context.rosters.of(room.nid), context.serverName)
}

async function signed(context: RoomsContext, event: RoomEvent, policy: PolicyServer): Promise<RoomEvent> {
  if (!needsPolicySignature(event) || isSignedByPolicy(event, policy, context.local.verifySignature))
    return event
  if (context.policySigner === undefined) throw forbidden('The policy server of this room cannot be asked')
  return context.policySigner.sign(event, policy)
}

/** The event with the signature of the room's policy server, where the room uses one. Throws as `PolicySigner.sign`. */
export async function signedByPolicy(context: RoomsContext, event: RoomEvent): Promise<RoomEvent> {
  const policy = await policyOf(context, event.roomId)
  return policy === undefined ? event : signed(context, event, policy)
}

const AT_ONCE = 5

/**
 * Events of others, with signatures of the room's policy server where it now gives them. The others stay as they are, and will be
 * soft-failed. In order.
 */
export async function askPolicyServer<T extends { readonly event: RoomEvent }>(
  context: RoomsContext,
  roomId: string,
  items: readonly T[],
): Promise<readonly T[]> {
  const policy = items.length === 0 ? undefined : await policyOf(context, roomId)
  if (policy === undefined) return items
  const asked = async (item: T): Promise<T> => {
    try {
      return { ...item, event: await signed(context, item.event, policy) }
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      context.logger.info(
        { roomId, eventId: item.event.id, err: error.message },
        'an event is not recommended',
      )
      return item
    }
  }
  const out: T[] = []
  for (let i = 0; i < items.length; i += AT_ONCE)
    out.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(asked))))
  return out
}
