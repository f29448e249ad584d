import { ownValue, type JsonObject } from '../../core/json/value.js'
import { readStateEvent, type RoomsContext } from './context.js'
import type { Sending } from './send.js'

/** An invitation of an address that a room has taken back. */
export interface WithdrawnOffer {
  /** The host where its key is asked for: the server that keeps it. */
  readonly keeper: string
  readonly token: string
  /** Who had invited. */
  readonly sender: string
}

const OFFER = 'm.room.third_party_invite'

const isOffer = (content: JsonObject): boolean =>
  ownValue(content, 'public_key') !== undefined || ownValue(content, 'public_keys') !== undefined

function keeperOf(offer: JsonObject): string | undefined {
  const url = ownValue(offer, 'key_validity_url')
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).host : undefined
}

/**
 * Tells of invitations that are taken back, before the client has its answer, as the specification has it: by the same state without a key.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#mroomthird_party_invite
 */
export const tellingWithdrawals = (
  sending: Sending,
  context: RoomsContext,
  onWithdrawn: (offer: WithdrawnOffer) => Promise<void>,
): Sending => ({
  ...sending,
  async state(requester, input) {
    if (input.type !== OFFER || isOffer(input.content)) return sending.state(requester, input)
    const room = await context.loader.load(input.roomId)
    const before = room === undefined ? undefined : await readStateEvent(context, room, OFFER, input.stateKey)
    const answer = await sending.state(requester, input)
    const keeper = before === undefined ? undefined : keeperOf(before.event.content)
    if (keeper !== undefined)
      await onWithdrawn({ keeper, token: input.stateKey, sender: before!.event.sender })
    return answer
  },
})
