import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import { createAudit, type Audit } from '../services/audit/audit.js'
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
