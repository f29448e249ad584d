import { OPERATOR, userActor } from '../core/audit/acts.js'
import type { Config } from '../config/schema.js'
import type { Signer } from '../core/event/sign.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import { openSyslog, type SyslogTarget } from '../platform/syslog.js'
import { createKeptDeposits } from '../services/audit-deposits/keep-deposits.js'
import { createMadeDeposits } from '../services/audit-deposits/make-deposits.js'
import { createAuditCuts } from '../services/audit-deposits/audit-cuts.js'
import { createAuditFeed } from '../services/audit/audit-feed.js'
import { createAudit, type Audit } from '../services/audit/audit.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { OwnKeys } from '../services/federation/own-keys.js'
import type { Transport } from '../services/federation/transport.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { Services } from '../services/services.js'
import type { LocalEventDeps } from '../services/rooms/local-event.js'
import type { Store } from '../storage/tx.js'

interface Base {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
}

/** The audit log, which nearly all parts tell of what is done. */
export function buildAudit(deps: Base): Audit {
  const { config, ...base } = deps
  return createAudit({ ...base, options: { enabled: config.audit.enabled } })
}

/** What takes the log elsewhere: its head to other members, its entries to a log server; and what is kept for others. */
export function buildAuditReaders(
  deps: Base & {
    readonly serverName: string
    readonly audit: Audit
    readonly signer: Signer
    readonly transport: Pick<Transport, 'client' | 'keys'>
    readonly nodeList: NodeListService | undefined
  },
): Pick<Services, 'auditDeposits' | 'auditFeed' | 'auditCuts'> {
  const { config, transport, nodeList, ...base } = deps
  const { client, keys } = transport
  const { audit } = config
  const target = syslogTarget(config)
  const made = createMadeDeposits({
    ...base,
    client,
    keys,
    servers: audit.enabled && config.federation.enabled ? audit.deposit_with : [],
  })
  const auditFeed =
    target === undefined || !audit.enabled
      ? undefined
      : createAuditFeed({ ...base, syslog: openSyslog(target, config.server_name) })
  return {
    auditDeposits: {
      kept: createKeptDeposits({ ...base, keys, isMember: (name) => nodeList?.member(name) !== undefined }),
      made,
    },
    auditFeed,
    auditCuts: createAuditCuts({
      ...base,
      keys,
      keepMs: audit.enabled ? (audit.keep ?? undefined) : undefined,
      settled: async () => Math.min(await made.knownToAll(), (await auditFeed?.sentUpTo()) ?? Infinity),
    }),
  }
}

function syslogTarget({ audit: { syslog } }: Config): SyslogTarget | undefined {
  if (syslog.transport === 'off') return undefined
  if (syslog.transport !== 'unix')
    return { transport: syslog.transport, host: syslog.host, port: syslog.port }
  return syslog.socket === undefined ? undefined : { transport: 'unix', path: syslog.socket }
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
