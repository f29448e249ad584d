import { serverNameOf } from '../ids/server-name-of.js'

/** Who is who, as every node of a circle must see it alike. */
export interface AccessPolicy {
  /** Whether a server's accounts are external: partners, guests of the circle. */
  isExternalServer(serverName: string): boolean
  /** Users to whom no access rule applies, such as a service that must enter every room. */
  bypasses(userId: string): boolean
}

/** Who has no server name is nobody's, and so outside. */
export function isExternal(userId: string, policy: AccessPolicy): boolean {
  const server = serverNameOf(userId)
  return server === undefined || policy.isExternalServer(server)
}
