import type { Config } from '../config/schema.js'
import { forbidden } from '../core/errors.js'
import { checkInvitable as refuseBlockedInvite } from '../services/account-data/invite-permission.js'
import type { Store } from '../storage/tx.js'

/** Localparts of the accounts in whose name the server itself speaks. */
export const ownLocalparts = ({ server_notices: notices, admin_bot: bot }: Config): readonly string[] =>
  [notices.localpart, bot.localpart].filter((localpart) => localpart !== undefined)

/** Accounts in whose name the server itself speaks: nobody logs in to one, or acts as it. */
export const ownAccounts = (config: Config): ReadonlySet<string> =>
  new Set(ownLocalparts(config).map((localpart) => `@${localpart}:${config.server_name}`))

/** Who may invite whom, as far as the invited one's wishes go: nobody keeps away the server's own invites, or invites its accounts. */
export function invitable(config: Config, store: Store): (userId: string, inviter?: string) => Promise<void> {
  const own = ownAccounts(config)
  return async (userId, inviter = '') => {
    if (own.has(userId)) throw forbidden('This account is that of the server itself, and comes into no rooms')
    if (!own.has(inviter)) await refuseBlockedInvite(store, userId, inviter)
  }
}
