/** What accounts need to know of an application service; the services of `appservices/` give it. */
export interface AppserviceIdentity {
  readonly id: string
  /** The user that the application service itself acts as. */
  readonly senderUserId: string
  /** Whether the user id lies in one of its user namespaces (its own sender counts). */
  ownsUser(userId: string): boolean
  /** Whether requests of the users it acts as are rate-limited; default true. Those of its own user never are. */
  readonly isRateLimited?: boolean
}

export interface AppserviceHooks {
  /** The application service whose `as_token` this is. */
  byToken(token: string): AppserviceIdentity | undefined
  /** The application service, if any, that claims the user id exclusively. */
  exclusiveOwner(userId: string): string | undefined
  /** It tried to act as a user who is not its own. */
  refused?(appserviceId: string, userId: string): void
}
