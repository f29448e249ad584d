import type { Config } from '../config/schema.js'
import { provenMove, type CertificateChecks } from '../core/account-move/move-certificate.js'
import type { AccessPolicy } from '../core/access-rules/access-policy.js'
import type { LastAdministratorRule } from '../core/access-rules/last-administrator.js'
import { ownAccounts } from './own-accounts.js'
import { verifySignatureBy } from '../platform/ed25519.js'
import type { NodeListService } from '../services/node-list/node-list.js'

/**
 * Whom rooms are for, as the configuration and the node list say; undefined where rooms are for all. With a list, whoever does not stand in it is
 * external too, but this server itself; who left is what it was.
 */
export function accessPolicy(
  config: Config,
  nodeList: Pick<NodeListService, 'roleOf'> | undefined,
): AccessPolicy | undefined {
  if (!config.access_rules.enforced) return undefined
  const external = new Set(config.access_rules.external_servers)
  const bypass = new Set(config.access_rules.bypass)
  // Their rooms are with users of this server alone, and federate with nobody: no other server judges them.
  for (const userId of ownAccounts(config)) bypass.add(userId)
  const isGuest = (server: string): boolean => {
    const role = nodeList?.roleOf(server)
    return role === undefined ? nodeList !== undefined && server !== config.server_name : role === 'external'
  }
  return {
    isExternalServer: (server) => external.has(server) || isGuest(server),
    bypasses: (userId) => bypass.has(userId),
  }
}

/** What rooms are held to besides the specification. */
export function roomRules(
  config: Config,
  nodeList: Pick<NodeListService, 'roleOf' | 'peers'> | undefined,
): { readonly access: AccessPolicy | undefined; readonly lastAdministrator: LastAdministratorRule } {
  const policy = accessPolicy(config, nodeList)
  const checks = nodeList === undefined ? undefined : certificateChecks(nodeList)
  return {
    access:
      policy === undefined || checks === undefined
        ? policy
        : { ...policy, provenMove: (certificate) => provenMove(certificate, checks) },
    lastAdministrator: config.access_rules.last_administrator,
  }
}

/** By the keys in the node list alone, this server's own too: all nodes of the circle must judge alike. */
export const certificateChecks = (nodeList: Pick<NodeListService, 'peers'>): CertificateChecks => ({
  keysOf(server) {
    const keys = nodeList.peers.keysOf(server)
    if (keys === undefined) return undefined
    return new Map(
      [...keys].map(([keyId, { key, validFromTs, validUntilTs }]) => [
        keyId,
        { base64: key.base64, validFrom: validFromTs, validUntil: validUntilTs },
      ]),
    )
  },
  verify: verifySignatureBy,
})

/** Whether a server's accounts are guests of the circle, whether or not rooms are held to that; undefined where there is no such difference. */
export function externalServers(
  config: Config,
  nodeList: Pick<NodeListService, 'roleOf'> | undefined,
): ((serverName: string) => boolean) | undefined {
  const policy = accessPolicy(config, nodeList)
  if (policy !== undefined) return (server) => policy.isExternalServer(server)
  return nodeList === undefined ? undefined : (server) => nodeList.roleOf(server) === 'external'
}
