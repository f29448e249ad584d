import { adminActor, type Act } from '../../core/audit/acts.js'
import type { Logger } from '../../platform/logger.js'
import type { AuditTrail } from '../audit/trail.js'

/** What an administrator does, or tries to do. */
export interface AdminAct {
  readonly requestId: string
  /** The administrator's user id. */
  readonly by: string
  /** The operation, as the route names it. */
  readonly act: string
  /** On whom or what: the parameters of the path. */
  readonly on: Readonly<Record<string, string>>
}

/**
 * Keeps what administrators do, those acts too that were refused, without their content: one line of the log for each, and an entry of the audit
 * log. What changes something is in the audit log before it begins, so that none is without a trace even where the node is killed meanwhile.
 */
export interface AdminActs {
  begin(act: AdminAct): Promise<void>
  /** `outcome`: `done`, or the errcode of the refusal. */
  end(act: AdminAct, outcome: string): Promise<void>
}

const MAX_NAME = 255

export function createAdminActs(deps: { readonly logger: Logger; readonly audit: AuditTrail }): AdminActs {
  const { logger, audit } = deps

  const told = ({ requestId, by, act, on }: AdminAct, outcome: string): Act => {
    const { roomId, ...others } = on
    const [name] = Object.keys(others)
    return {
      act: 'admin.called',
      by: adminActor(by),
      on: name === undefined ? undefined : others[name],
      room: roomId,
      outcome,
      requestId,
      details: { operation: act, ...others },
    }
  }

  return {
    begin: (act) => audit.note(told(act, 'begun')),
    async end(act, outcome) {
      const { requestId, by, on } = act
      const target = Object.fromEntries(
        Object.entries(on).map(([name, value]) => [name, value.slice(0, MAX_NAME)]),
      )
      logger.info({ requestId, by, act: act.act, on: target, outcome }, 'act of an administrator')
      await audit.note(told(act, outcome))
    },
  }
}
