import type { AccountMove } from '../account-move/move-certificate.js'
import { serverNameOf } from '../ids/server-name-of.js'
import type { JsonObject } from '../json/value.js'

/** Who is who, as every node of a circle must see it alike. */
export interface AccessPolicy {
  /** Whether a server's accounts are external: partners, guests of the circle. */
  isExternalServer(serverName: string): boolean
  /** Users to whom no access rule applies, such as a service that must enter every room. */
  bypasses(userId: string): boolean
  /** The move to another member that a certificate proves, by the keys in the node list; undefined for all else. Absent: nothing is proof. */
  provenMove?(certificate: JsonObject): AccountMove | undefined
}

/** Who has no server name is nobody's, and so outside. */
export function isExternal(userId: string, policy: AccessPolicy): boolean {
  const server = serverNameOf(userId)
  return server === undefined || policy.isExternalServer(server)
}
