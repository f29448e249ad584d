import { isSignerName } from '../core/node-list/parse-node-list.js'
import { isStrictLocalpart } from '../core/ids/user-id.js'
import { publicKey } from '../platform/ed25519.js'
import type { Fault } from './fault.js'
import { ADMINISTRATION_RULES } from './administration-rules.js'
import { MINISTRY_RULES } from './ministry-rules.js'
import type { Rule } from './rule.js'
import type { Config, ReadableConfig } from './schema.js'

const RULES: readonly Rule[] = [
  {
    reads: ['account_validity', 'mail', 'public_baseurl'],
    look({ account_validity: { enabled, remind_before: times }, mail, public_baseurl: baseurl }, report) {
      if (enabled && times.length > 0 && (mail.host === undefined || baseurl === undefined))
        report(
          ['account_validity', 'remind_before'],
          'names mails that cannot be sent',
          'Set `mail` and `public_baseurl`, or empty it: administrators renew accounts then.',
        )
    },
  },
  {
    reads: ['audit'],
    look({ audit: { enabled, syslog, deposit_with: others } }, report) {
      if (syslog.transport === 'unix' && syslog.socket === undefined)
        report(['audit', 'syslog', 'socket'], 'is missing', 'Name the socket of the log server.')
      if (!enabled && (others.length > 0 || syslog.transport !== 'off'))
        report(
          ['audit', 'enabled'],
          'is false, and the log is to go elsewhere',
          'Set it to true, or empty `audit.deposit_with` and `audit.syslog`.',
        )
    },
  },
  {
    reads: ['listeners'],
    look({ listeners }, report) {
      const taken = new Set<string>()
      for (const [index, { address, port }] of listeners.entries()) {
        const at = `${address} ${port}`
        if (port !== 0 && taken.has(at)) {
          report(
            ['listeners', index],
            `listens on ${address}:${port} a second time`,
            'Give each listener its own port.',
          )
        }
        taken.add(at)
      }
    },
  },
  {
    reads: ['database'],
    look({ database }, report) {
      if (database.driver === 'postgres' && !/^postgres(ql)?:\/\//.test(database.url)) {
        report(
          ['database', 'url'],
          'is not the address of a PostgreSQL database',
          'Write `postgres://user:password@host:5432/database`.',
        )
      }
    },
  },
  {
    reads: ['turn'],
    look({ turn }, report) {
      if (turn.uris.some((uri) => uri.startsWith('turn')) && turn.secret === undefined) {
        report(
          ['turn', 'secret'],
          'is missing',
          'Clients cannot use the TURN server without it. Add it, or empty `turn.uris`.',
        )
      }
    },
  },
  {
    reads: ['well_known.support'],
    look({ well_known: { support } }, report) {
      for (const [index, contact] of support.contacts.entries()) {
        if (contact.matrix_id === undefined && contact.email_address === undefined) {
          report(
            ['well_known', 'support', 'contacts', index],
            'names nobody',
            'Add `matrix_id` or `email_address`.',
          )
        }
      }
    },
  },
  {
    reads: ['well_known.client_extra'],
    look({ well_known: { client_extra: extra } }, report) {
      for (const key of ['m.homeserver', 'm.identity_server']) {
        if (Object.hasOwn(extra, key)) {
          report(
            ['well_known', 'client_extra', key],
            'is set by the server',
            'Remove it; `public_baseurl` says where this server is.',
          )
        }
      }
    },
  },
  {
    reads: ['federation.allow', 'federation.deny'],
    look({ federation: { allow, deny } }, report) {
      for (const [index, name] of deny.entries()) {
        if (allow?.includes(name) === true) {
          report(
            ['federation', 'deny', index],
            `${name} is also in \`allow\``,
            'Keep it in one of the two lists.',
          )
        }
      }
    },
  },
  {
    reads: ['node_list'],
    look({ node_list: nodes }, report) {
      if (nodes.file !== undefined && nodes.url !== undefined)
        report(['node_list', 'url'], 'is a second place beside `file`', 'Keep one of the two.')
      if (nodes.url !== undefined && !nodes.url.startsWith('https://'))
        report(['node_list', 'url'], 'is not encrypted', 'Begin it with `https://`.')
      const signers = nodes.trusted_signers
      if ((nodes.file !== undefined || nodes.url !== undefined) && signers.length === 0)
        report(
          ['node_list', 'trusted_signers'],
          'is empty',
          'Say whose signatures count: a list is believed for nothing else.',
        )
      if (nodes.threshold !== null && nodes.threshold > Math.max(1, signers.length))
        report(['node_list', 'threshold'], 'is more than there are trusted signers', 'Make it smaller.')
      for (const [index, { name, public_key: key }] of signers.entries()) {
        const path = ['node_list', 'trusted_signers', index]
        if (!isSignerName(name))
          report(
            [...path, 'name'],
            'is not the name of a signer',
            'Use lower-case letters, digits, dots and hyphens.',
          )
        const isTwice = signers
          .slice(0, index)
          .some((other) => other.name === name || canonicalKey(other.public_key) === canonicalKey(key))
        if (isTwice)
          report(path, 'signs twice', 'Each signer counts once: give every one a name and a key of its own.')
      }
    },
  },
  {
    reads: ['retention'],
    look({ retention }, report) {
      for (const kind of ['public_rooms', 'private_rooms', 'direct_rooms'] as const) {
        const { least, most, usual } = retention[kind]
        if (most !== null && least > most)
          report(['retention', kind, 'least'], 'is more than `most`', 'Make it smaller.')
        if (most !== null && usual !== null && usual > most)
          report(['retention', kind, 'usual'], 'is more than `most`', 'Make it smaller.')
        if (retention.media !== null && (most === null || most > retention.media))
          report(
            ['retention', 'media'],
            `is less than messages may live by \`${kind}.most\`: they would lose their files`,
            'Make it longer, or bound how long messages live.',
          )
      }
    },
  },
  {
    reads: ['content_scanner', 'media.max_upload_bytes'],
    look({ content_scanner: scanner, media }, report) {
      if (scanner.engine === 'off') return
      if (scanner.engine === 'command' && scanner.command.program === undefined)
        report(
          ['content_scanner', 'command', 'program'],
          'is missing',
          'Name the program that looks at files.',
        )
      if (scanner.max_bytes < media.max_upload_bytes)
        report(
          ['content_scanner', 'max_bytes'],
          'is less than `media.max_upload_bytes`: what is larger could be uploaded, and be given to nobody',
          'Make it larger, and with clamd its `StreamMaxLength` too.',
        )
    },
  },
  {
    reads: ['directory', 'node_list'],
    look({ directory, node_list: nodes }, report) {
      if (nodes.file !== undefined || nodes.url !== undefined) return
      for (const key of ['people', 'rooms'] as const)
        if (directory[key] === 'circle')
          report(['directory', key], 'has no circle without a node list', 'Name one in `node_list`.')
    },
  },
  {
    reads: ['federation.banned_keys', 'federation.pinned_keys'],
    look({ federation }, report) {
      const banned = new Set(federation.banned_keys.map(canonicalKey))
      for (const [server, keys] of Object.entries(federation.pinned_keys)) {
        for (const [keyId, key] of Object.entries(keys)) {
          if (banned.has(canonicalKey(key)))
            report(
              ['federation', 'pinned_keys', server, keyId],
              'is also in `banned_keys`',
              'Pin another key.',
            )
        }
      }
    },
  },
  {
    reads: ['federation.backoff'],
    look({ federation: { backoff } }, report) {
      if (backoff.initial > backoff.max) {
        report(['federation', 'backoff', 'initial'], 'is longer than `max`', 'Make it shorter.')
      }
    },
  },
  {
    reads: ['mail.host', 'registration.email'],
    look({ mail, registration }, report) {
      if (mail.host === undefined && registration.email !== 'off') {
        report(
          ['registration', 'email'],
          'needs mail',
          'Set `mail.host` and `mail.from`, or make `registration.email` `off`.',
        )
      }
    },
  },
  {
    reads: ['mail.host', 'mail.from'],
    look({ mail }, report) {
      if (mail.host !== undefined && mail.from === undefined) {
        report(['mail', 'from'], 'is missing', 'Say who the sender of mail is.')
      }
    },
  },
  {
    reads: ['mail.host', 'public_baseurl'],
    look({ mail, public_baseurl: address }, report) {
      if (mail.host !== undefined && address === undefined) {
        report(
          ['public_baseurl'],
          'is missing',
          'The links in mails begin with it. Add it, or leave out `mail.host`.',
        )
      }
    },
  },
  {
    reads: ['mail.user', 'mail.password', 'mail.password_file', 'mail.tls'],
    look({ mail }, report) {
      if (mail.user !== undefined && (mail.password === undefined || mail.tls === 'off')) {
        report(
          ['mail', 'user'],
          mail.password === undefined ? 'has no password' : 'would log in without TLS',
          mail.password === undefined ? 'Add `mail.password`.' : 'Use `tls: starttls` or `tls: implicit`.',
        )
      }
    },
  },
  {
    reads: ['server_notices.localpart'],
    look({ server_notices: { localpart } }, report) {
      if (localpart !== undefined && !isStrictLocalpart(localpart)) {
        report(
          ['server_notices', 'localpart'],
          'is no name of an account',
          'Use the letters a–z, digits and the characters . _ = - / +.',
        )
      }
    },
  },
  {
    reads: [
      'registration.shared_secret',
      'registration.shared_secret_file',
      'registration.allow_weak_shared_secret',
    ],
    look({ registration: { shared_secret: shared, allow_weak_shared_secret: weakAllowed } }, report) {
      if (shared !== undefined && shared.length < 16 && !weakAllowed) {
        report(['registration', 'shared_secret'], 'can be guessed', 'Use at least 16 random characters.')
      }
    },
  },
  ...ADMINISTRATION_RULES,
  ...MINISTRY_RULES,
]

/** Whether one of the paths is the other, or stands in it. */
function overlap(one: Fault['path'], other: Fault['path']): boolean {
  const shorter = Math.min(one.length, other.length)
  return one.slice(0, shorter).every((part, index) => part === other[index])
}

/**
 * What is right key by key, but wrong together. `config` may lack what is `atFault`: the rules that read something of that
 * are passed over, the others still tell.
 */
export function contradictions(config: ReadableConfig, atFault: readonly Fault[]): Fault[] {
  const faults: Fault[] = []
  for (const { reads, look } of RULES) {
    const paths = reads.map((path) => path.split('.'))
    if (atFault.some((fault) => paths.some((path) => overlap(path, fault.path)))) continue
    // All that it reads was checked and nothing of it is missing.
    look(config as Config, (path, problem, remedy) => faults.push({ path, problem, remedy }))
  }
  return faults
}

/** What is allowed, but seldom meant on a real node: sentences for the log. */
export function warnings(config: Config): string[] {
  const out: string[] = []
  if (config.registration.enabled && config.registration.flow === 'dummy') {
    out.push('registration is open to everybody without a token (registration.flow is `dummy`)')
  }
  if (!config.federation.verify_tls) {
    out.push('certificates of other servers are not checked (federation.verify_tls is false)')
  }
  if (config.server_name !== config.server_name.toLowerCase()) {
    out.push('server_name has capital letters: it is compared letter by letter, and others will mistype it')
  }
  if (config.public_baseurl === undefined) {
    out.push('public_baseurl is not set: clients cannot find this server by its server name')
  }
  if (config.media.legacy_unauthenticated === 'on') {
    out.push('files can be fetched without a log-in (media.legacy_unauthenticated is `on`)')
  }
  if (config.registration.allow_weak_shared_secret) {
    out.push('the shared secret may be guessed (registration.allow_weak_shared_secret is true)')
  }
  return out
}

/** With padding or without, a key is the same. */
const canonicalKey = (text: string): string => publicKey(text)?.base64 ?? text
