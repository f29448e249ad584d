import { OPERATOR, userActor } from '../core/audit/acts.js'
import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import { createAudit, type Audit } from '../services/audit/audit.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { OwnKeys } from '../services/federation/own-keys.js'
import type { LocalEventDeps } from '../services/rooms/local-event.js'
import type { Store } from '../storage/tx.js'

/** The audit log, which nearly all parts tell of what is done. */
export function buildAudit(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
}): Audit {
  const { config, ...base } = deps
  return createAudit({ ...base, options: { enabled: config.audit.enabled } })
}

/** A rotation is told once the file has the new key: what fails before changes nothing. */
export const auditedRotation =
  (ownKeys: Pick<OwnKeys, 'rotate'>, audit: AuditTrail): OwnKeys['rotate'] =>
  async (keyFile) => {
    const rotation = await ownKeys.rotate(keyFile)
    await audit.note({
      act: 'key.rotated',
      by: OPERATOR,
      on: rotation.keyId,
      details: { retired: rotation.retired.keyId },
    })
    return rotation
  }

/** Whoever is refused may try as often as they like: refusals are counted. */
export const policyRefusals =
  (audit: AuditTrail): NonNullable<LocalEventDeps['onPolicyRefusal']> =>
  ({ event, rule }) =>
    audit.count({
      act: 'policy.refused',
      by: userActor(event.sender),
      on: event.stateKey,
      room: event.roomId,
      outcome: 'M_FORBIDDEN',
      reason: rule,
      details: { type: event.type },
    })
