import type { Config } from '../config/schema.js'
import type { AddressHome } from '../core/address-gate.js'
import { emailRouting } from '../core/node-list/route-email.js'
import type { AccountNamesOptions } from '../services/accounts/account-names.js'
import type { AuditTrail } from '../services/audit/trail.js'
import { createAddressGate } from '../services/address-gate/address-gate.js'
import type { KeptInvites } from '../services/member-identity/kept-invites.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import { addressRefused } from '../services/threepids/refusals.js'
import type { AddressRules } from '../services/threepids/threepids.js'

type ListOfNodes = Pick<NodeListService, 'memberOfAddress' | 'roleOf' | 'member'>

/** Where an address belongs: by the node list, or by the configuration of a server that goes by none. */
export function addressHomes(
  config: Config,
  nodeList: ListOfNodes | undefined,
): (address: string) => AddressHome | undefined {
  if (nodeList !== undefined)
    return (address) => {
      const found = nodeList.memberOfAddress(address)
      return found === 'invalid' ? undefined : found
    }
  const { domains, patterns } = config.address_gate
  const own = {
    serverName: config.server_name,
    email: { domains, patterns, fallback: false },
    leftAt: undefined,
  }
  const routing = emailRouting([own])
  return (address) => routing.memberOf(address, 0)
}

/** Which addresses accounts of this server may have, and who changes them. */
export function addressRules(deps: {
  readonly config: Config
  readonly nodeList: ListOfNodes | undefined
  readonly audit: AuditTrail
  /** Absent: no invitations are kept here. */
  readonly invites: Pick<KeptInvites, 'isInvited' | 'bind'> | undefined
}): AddressRules {
  const { config, nodeList, invites } = deps
  const { server_name: serverName } = config
  const { enforced, invited_only: invitedOnly, plus_addresses: plusAddresses } = config.address_gate
  const takesInvitation = {
    always: () => true,
    never: () => false,
    external: () => nodeList?.roleOf(serverName) === 'external',
  }[invitedOnly]
  return {
    ...(invites === undefined
      ? {}
      : { onAttached: (userId: string, address: string) => invites.bind(userId, address) }),
    locked: config.managed_accounts.locked.includes('addresses'),
    ...(enforced
      ? {
          gate: createAddressGate({
            serverName,
            allowTags: plusAddresses === 'accept',
            homeOf: addressHomes(config, nodeList),
            takesInvitation,
            onRefused: (reason) => deps.audit.count(addressRefused(reason)),
            *hasInvitation(address) {
              return invites !== undefined && (yield* invites.isInvited(address))
            },
          }),
        }
      : {}),
  }
}

/** How new accounts are named; undefined: people choose. */
export function accountNames(
  config: Config,
  nodeList: Pick<NodeListService, 'member'> | undefined,
): AccountNamesOptions | undefined {
  const { server_name: serverName } = config
  const {
    user_id: userId,
    display_name: displayName,
    public_suffixes: publicSuffixes,
  } = config.managed_accounts
  if (userId === undefined && displayName === undefined) return undefined
  return {
    userId,
    displayName,
    publicSuffixes,
    label: () => nodeList?.member(serverName)?.label ?? serverName,
  }
}
