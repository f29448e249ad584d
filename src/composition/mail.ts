import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import { smtpTransport, type SmtpOptions } from '../platform/smtp.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import { createMailer, type Mailer } from '../services/mail/mailer.js'
import { createThreepids, type Threepids, type ThreepidsOptions } from '../services/threepids/threepids.js'
import type { Store } from '../storage/tx.js'
import { addressRules } from './address-rules.js'

/** Outgoing mail, where it is configured, and the addresses that are proved by it. */
export interface MailParts {
  readonly mailer: Mailer | undefined
  readonly threepids: Threepids
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
}): MailParts {
  const { config } = base
  const { host, from } = config.mail
  const rules = addressRules({
    config,
    nodeList: base.nodeList,
  })
  if (host === undefined || from === undefined)
    return { mailer: undefined, threepids: createThreepids({ ...base, rules }) }
  const mailer = createMailer({
    ...base,
    transport: smtpTransport(smtpOptions(config, host)),
    options: { from },
  })
  return {
    mailer,
    threepids: createThreepids({ ...base, rules, mail: { mailer, options: threepidsOptions(config) } }),
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
