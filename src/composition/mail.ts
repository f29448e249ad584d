import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import { smtpTransport, type SmtpOptions } from '../platform/smtp.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { KeptInvites, KeptInvitesDeps } from '../services/member-identity/kept-invites.js'
import { createMailer, type Mailer } from '../services/mail/mailer.js'
import { createThreepids, type Threepids, type ThreepidsOptions } from '../services/threepids/threepids.js'
import type { Store } from '../storage/tx.js'
import { addressRules } from './address-rules.js'
import { buildKeptInvites, takingBack } from './member-identity.js'

/** Outgoing mail, where it is configured, and the addresses that are proved by it. */
export interface MailParts {
  readonly mailer: Mailer | undefined
  readonly threepids: Threepids
  /** Invitations of addresses of this server; absent: an identity server keeps them. */
  readonly invites: KeptInvites | undefined
  /** What rooms write where they take such invitations back. */
  readonly takeBack: ReturnType<typeof takingBack> | undefined
}

export function buildMail(base: {
  readonly config: Config
  readonly store: Store
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly nodeList: NodeListService | undefined
  /** Has the inviting user's server invite whoever has the address now. */
  redeem: KeptInvitesDeps['redeem']
}): MailParts {
  const { config } = base
  const { host, from } = config.mail
  const mailer =
    host === undefined || from === undefined
      ? undefined
      : createMailer({
          ...base,
          transport: smtpTransport(smtpOptions(config, host)),
          options: { from },
        })
  const invites = mailer === undefined ? undefined : buildKeptInvites({ ...base, mailer })
  const rules = addressRules({ config, nodeList: base.nodeList, audit: base.audit, invites })
  return {
    mailer,
    invites,
    takeBack: invites === undefined ? undefined : takingBack(invites, base.serverName),
    threepids: createThreepids({
      ...base,
      rules,
      ...(mailer === undefined ? {} : { mail: { mailer, options: threepidsOptions(config) } }),
    }),
  }
}

function smtpOptions({ mail }: Config, host: string): SmtpOptions {
  return {
    host,
    port: mail.port,
    tls: mail.tls,
    ca: mail.ca_files.map((path) => readFileSync(path, 'utf8')),
    ...(mail.user === undefined ? {} : { user: mail.user }),
    ...(mail.password === undefined ? {} : { password: mail.password }),
  }
}

function threepidsOptions({ mail, public_baseurl: baseurl }: Config): ThreepidsOptions {
  return {
    publicBaseurl: (baseurl ?? '').replace(/\/$/, ''),
    hideAddresses: mail.hide_addresses,
    nextLinks: mail.next_links,
  }
}
