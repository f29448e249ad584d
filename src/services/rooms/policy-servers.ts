import { forbidden, MatrixError } from '../../core/errors.js'
import type { VerifySignature } from '../../core/auth/state-lookup.js'
import { addSignature } from '../../core/event/sign.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isObject, ownValue } from '../../core/json/value.js'
import {
  isSignedByPolicy,
  POLICY_KEY_ID,
  policyServerIn,
  type PolicyServer,
} from '../../core/policy-server.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import { encodePath, FederationError, isRetryable, type FederationClient } from '../federation/client.js'
import type { Roster } from './roster.js'
import type { StoredEvent } from './stored-event.js'

/** Has policy servers sign events, as the client of one. */
export interface PolicySigner {
  /**
   * The event with the policy server's signature, which is valid. Throws the policy server's own refusal (M_FORBIDDEN,
   * M_LIMIT_EXCEEDED, …), or M_UNKNOWN (502) when it cannot be asked.
   * SPEC: https://spec.matrix.org/v1.19/server-server-api/#asking-for-a-policy-server-signature-on-an-event
   */
  sign(event: RoomEvent, policy: PolicyServer): Promise<RoomEvent>
}

/** An event of ours that the room's policy server has to sign first; the room goes on meanwhile. */
export class PolicySignatureNeeded extends Error {
  readonly event: RoomEvent
  readonly policy: PolicyServer
  constructor(event: RoomEvent, policy: PolicyServer) {
    super(`the policy server ${policy.serverName} has not signed the event`)
    this.name = 'PolicySignatureNeeded'
    this.event = event
    this.policy = policy
  }
}

/** The policy server of a room with this state and these members; undefined where it uses none. */
export function policyServerOf(
  named: StoredEvent | undefined,
  roster: Roster,
  ownName: string,
): PolicyServer | undefined {
  const policy = policyServerIn(named?.event.content)
  if (policy === undefined) return undefined
  const isThere =
    policy.serverName === ownName ? roster.local.size > 0 : roster.servers.has(policy.serverName)
  return isThere ? policy : undefined
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 64 * 1024
/** A policy server that cannot be reached is not asked again for so long: what is said meanwhile is refused at once. */
const PAUSE_MS = 10_000
/** What it may say to the person who wrote the event. Others, such as M_UNKNOWN_TOKEN, mean something else to a client. */
const PASSED_ON = new Set(['M_FORBIDDEN', 'M_LIMIT_EXCEEDED', 'M_BAD_JSON', 'M_NOT_JSON'])

export function createPolicySigner(deps: {
  readonly client: Pick<FederationClient, 'request'>
  readonly clock: Clock
  readonly verifySignature: VerifySignature
}): PolicySigner {
  const paused = createLru<string, true>({ max: 1_000, ttlMs: PAUSE_MS, clock: deps.clock })
  const unreachable = (): MatrixError =>
    new MatrixError('M_UNKNOWN', 'The policy server of this room cannot be reached; try again later', {}, 502)

  function refusal(error: FederationError): MatrixError {
    const { errcode, status, retryAfterMs } = error
    if (errcode === undefined || !PASSED_ON.has(errcode) || error.kind !== 'status') return unreachable()
    // What it says to the person stands behind the status in the message.
    const said = error.message.split(': ').slice(1).join(': ')
    return new MatrixError(
      errcode,
      said === '' ? 'The policy server of this room refuses the event' : said,
      errcode === 'M_LIMIT_EXCEEDED' && retryAfterMs !== undefined ? { retry_after_ms: retryAfterMs } : {},
      errcode === 'M_FORBIDDEN' && status === 400 ? 400 : undefined,
    )
  }

  return {
    async sign(event, policy) {
      const { serverName } = policy
      if (paused.get(serverName) === true) throw unreachable()
      let answer
      try {
        answer = await deps.client.request({
          destination: serverName,
          method: 'POST',
          path: encodePath('/_matrix/policy/v1', 'sign'),
          body: event.pdu,
          timeoutMs: TIMEOUT_MS,
          maxBytes: MAX_BYTES,
        })
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        if (isRetryable(error) && error.status !== 429) paused.set(serverName, true)
        throw refusal(error)
      }
      const signatures = isObject(answer) ? ownValue(answer, serverName) : undefined
      const signature = isObject(signatures) ? ownValue(signatures, POLICY_KEY_ID) : undefined
      if (typeof signature === 'string') {
        // The policy server may be the event's own: its other signatures stay.
        const signed = { ...event, pdu: addSignature(event.pdu, serverName, POLICY_KEY_ID, signature) }
        if (isSignedByPolicy(signed, policy, deps.verifySignature)) return signed
      }
      throw forbidden('The policy server of this room has not signed the event')
    },
  }
}
