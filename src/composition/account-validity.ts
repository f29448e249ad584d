import type { Config } from '../config/schema.js'
import { SERVER } from '../core/audit/acts.js'
import { compileGlob } from '../core/glob.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import {
  createAccountValidity,
  expiredError,
  type AccountValidity,
} from '../services/account-validity/account-validity.js'
import type { AccountsDeps } from '../services/accounts/accounts.js'
import type { Credentials } from '../services/accounts/credentials.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { TokenCache } from '../services/devices/token-cache.js'
import type { Mailer } from '../services/mail/mailer.js'
import { unmarkAllExpired } from '../storage/tables/account-validity.js'
import type { Store } from '../storage/tx.js'
import { ownAccounts } from './own-accounts.js'

/** Accounts that expire; undefined where none does, and then nobody is held for expired any more. */
export async function buildAccountValidity(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly tokenCache: TokenCache
  readonly audit: AuditTrail
  readonly mailer: Mailer | undefined
  readonly deactivate: Credentials['deactivate']
}): Promise<AccountValidity | undefined> {
  const { config, deactivate, ...base } = deps
  if (!config.account_validity.enabled) {
    await deps.store.write('validity.off', unmarkAllExpired)
    return undefined
  }
  const patterns = config.account_validity.exclude.map(compileGlob)
  const own = ownAccounts(config)
  const after = config.account_validity.deactivate_after
  return createAccountValidity({
    ...base,
    deactivate: (userId) => deactivate(userId, false, SERVER),
    options: {
      periodMs: config.account_validity.period,
      remindMs: config.account_validity.remind_before.toSorted((a, b) => b - a),
      ...(after === null ? {} : { deactivateAfterMs: after }),
      isExcluded: (userId) => own.has(userId) || patterns.some((matches) => matches(userId)),
      publicBaseurl: (config.public_baseurl ?? '').replace(/\/$/, ''),
    },
  })
}

/** What accounts need to know of it. */
export const expiryHooks = (
  validity: AccountValidity | undefined,
): Pick<AccountsDeps, 'expiry' | 'onCreated'> =>
  validity === undefined
    ? {}
    : {
        expiry: (userId, expiresTs) => (validity.isExpired(userId, expiresTs) ? expiredError() : undefined),
        onCreated: [validity.onCreated],
      }
