/** What an operator says of an account to be made. */
export interface NewAccount {
  readonly localpart: string
  readonly password: string
  readonly admin: boolean
  readonly displayName?: string
}
