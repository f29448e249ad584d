import { serverNameOf } from '../../core/ids/server-name-of.js'
import { ownValue, type JsonObject } from '../../core/json/value.js'
import type { Sending } from './send.js'
import type { WorkingRoom } from './working-room.js'

/** An invitation of an address that a room has taken back. */
export interface WithdrawnOffer {
  /** The host where its key is asked for: the server that keeps it. */
  readonly keeper: string
  readonly token: string
  /** Who had invited. */
  readonly sender: string
}

const OFFER = 'm.room.third_party_invite'
const MAX_NAME = 255

const isOffer = (content: JsonObject): boolean =>
  ownValue(content, 'public_key') !== undefined || ownValue(content, 'public_keys') !== undefined

function keeperOf(offer: JsonObject): string | undefined {
  const url = ownValue(offer, 'key_validity_url')
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined
  const { host } = new URL(url)
  return host.length <= MAX_NAME ? host : undefined
}

/**
 * The invitations by users of this server that end with the room's pending events, whoever takes them back: a moderator of another server may.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#mroomthird_party_invite
 */
export function withdrawnOffers(room: WorkingRoom, serverName: string): WithdrawnOffer[] {
  const withdrawn: WithdrawnOffer[] = []
  for (const { type, stateKey, before, after } of room.pending.flatMap(({ stateChanges }) => stateChanges)) {
    if (type !== OFFER || before === undefined || !isOffer(before.event.content)) continue
    if (after !== undefined && isOffer(after.event.content)) continue
    const { sender } = before.event
    const keeper = serverNameOf(sender) === serverName ? keeperOf(before.event.content) : undefined
    if (keeper !== undefined) withdrawn.push({ keeper, token: stateKey, sender })
  }
  return withdrawn
}

/** Has the keeper told before the client has its answer, where it can be reached. */
export const tellingWithdrawals = (
  sending: Sending,
  onWithdrawn: (token: string) => Promise<void>,
): Sending => ({
  ...sending,
  async state(requester, input) {
    const answer = await sending.state(requester, input)
    if (input.type === OFFER && !isOffer(input.content)) await onWithdrawn(input.stateKey)
    return answer
  },
})
