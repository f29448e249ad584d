import { forbidden } from '../../core/errors.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { isSignedByPolicy, needsPolicySignature, POLICY_STATE } from '../../core/policy-server.js'
import { applyEvent } from './apply-event.js'
import {
  addAccepted,
  judgeLocalEvent,
  prepareLocalEvent,
  type Draft,
  type LocalEventDeps,
} from './local-event.js'
import { policyServerOf, PolicySignatureNeeded } from './policy-servers.js'
import type { StoredEvent } from './stored-event.js'
import { mapKey, stateEvents, type WorkingRoom } from './working-room.js'

/** A state event that would change nothing is not sent again. */
async function unchanged(
  room: WorkingRoom,
  draft: Draft,
  deps: LocalEventDeps,
): Promise<StoredEvent | undefined> {
  if (draft.stateKey === undefined) return undefined
  const key = { type: draft.type, stateKey: draft.stateKey }
  const current = (await stateEvents(room, [key], deps.readers)).get(mapKey(key))
  if (current === undefined || current.event.sender !== draft.sender) return undefined
  try {
    const same = canonicalJson(current.event.content, 'lenient') === canonicalJson(draft.content, 'lenient')
    return same ? current : undefined
  } catch {
    return undefined
  }
}

const sameDraft = (draft: Draft, event: StoredEvent['event']): boolean =>
  draft.type === event.type &&
  draft.stateKey === event.stateKey &&
  draft.sender === event.sender &&
  draft.redacts === event.redacts &&
  canonicalJson(draft.content, 'lenient') === canonicalJson(event.content, 'lenient')

/**
 * Builds, judges and adds an event of a local user. Throws M_FORBIDDEN, M_TOO_LARGE, M_BAD_JSON; and `PolicySignatureNeeded`, upon which
 * the writer has the event signed and runs the job again.
 */
export async function addLocalEvent(
  room: WorkingRoom,
  draft: Draft,
  deps: LocalEventDeps,
): Promise<StoredEvent> {
  const prepared = await prepareLocalEvent(room, draft, deps)
  await judgeLocalEvent(room, prepared, deps)
  // Whoever may not send it is told so, even where it would change nothing.
  const same = await unchanged(room, draft, deps)
  if (same !== undefined) return same
  const { serverName } = deps.readers
  const named = prepared.state.get(mapKey(POLICY_STATE))
  // A room that is being made has no policy server yet.
  const policy = room.base.root === undefined ? undefined : policyServerOf(named, room.roster, serverName)
  if (policy === undefined || !needsPolicySignature(prepared.event))
    return addAccepted(room, prepared, draft, deps)
  const signed = room.signedByPolicy.find((event) => sameDraft(draft, event))
  if (signed === undefined || !isSignedByPolicy(signed, policy, deps.verifySignature))
    throw new PolicySignatureNeeded(prepared.event, policy)
  // The room went on meanwhile: the event stands where it was made, and is judged by what is now.
  const stored = await applyEvent(
    room,
    signed,
    {
      live: true,
      origin: serverName,
      relay: true,
      ...(draft.clientTxn === undefined ? {} : { clientTxn: draft.clientTxn }),
    },
    deps,
  )
  if (stored.softFailed || stored.rejected !== undefined)
    throw forbidden('The room changed while its policy server considered the event')
  return stored
}
