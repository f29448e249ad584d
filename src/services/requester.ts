/** Who makes a client request, as the access token says. */
export interface Requester {
  readonly userId: string
  /** Undefined for an appservice acting without a device, and for guests of old. */
  readonly deviceId: string | undefined
  readonly isGuest: boolean
  readonly isAdmin: boolean
  /** A suspended account may read, leave and redact its own events only. SPEC: client-server-api/#account-suspension */
  readonly isSuspended: boolean
  /** The application service whose `as_token` this is. */
  readonly appserviceId: string | undefined
  /** No budget of requests holds for it: an application service's own user, or all of its users where its registration says so. */
  readonly isUnlimited?: boolean
  /** What holds for messages of this user in place of what is configured: how many a second, and at once. 0 a second: any number. */
  readonly messageBudget?: { readonly per_second: number; readonly burst: number }
}

/** This server itself, where it acts for a user: without a device, with nobody's rights but the user's. */
export const requesterOf = (userId: string): Requester => ({
  userId,
  deviceId: undefined,
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
})
