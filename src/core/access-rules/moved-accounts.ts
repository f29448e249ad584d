import { ACCOUNT_MOVE } from '../account-move/move-certificate.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import type { AccessPolicy } from './access-policy.js'
import type { AccessState, AccessStateEvent } from './access-state.js'

/** Nobody changes ministry so often; a chain of certificates is followed no further. */
const MAX_MOVES = 16

/** Gives for each account the oldest one of the same person, as the certificates in a room prove. */
export function personOf({ moves }: AccessState, policy: AccessPolicy): (userId: string) => string {
  const before = new Map<string, string>()
  for (const event of moves.slice(0, MAX_MOVES)) {
    const move = isOwn(event) ? policy.provenMove?.(event.content) : undefined
    if (move !== undefined && move.oldUser === event.sender) before.set(move.newUser, move.oldUser)
  }
  return (userId) => {
    let person = userId
    for (let steps = 0; steps < MAX_MOVES; steps++) {
      const older = before.get(person)
      if (older === undefined) break
      person = older
    }
    return person
  }
}

const isOwn = ({ sender, stateKey }: AccessStateEvent): boolean => sender === stateKey

/**
 * The event that ties a new account to an old one: sent by the old one while its certificate counts, once and for all. The sender's server says when that was, and
 * has signed the certificate itself.
 */
export function checkMove(event: RoomEvent, { get }: AccessState, policy: AccessPolicy): Verdict {
  const move = policy.provenMove?.(event.content)
  if (move === undefined || move.oldUser !== event.sender || event.stateKey !== event.sender)
    return refuse('access.move', 'No certificate of both servers says that this account moves')
  if (event.originServerTs < move.issuedAt || event.originServerTs > move.notAfter)
    return refuse('access.move', 'The time in which this account could move is over')
  const known = get(ACCOUNT_MOVE, event.sender)
  const present = known === undefined ? undefined : policy.provenMove?.(known.content)
  return present === undefined || present.newUser === move.newUser
    ? ALLOW
    : refuse('access.move', 'This account has moved already, to another one')
}
