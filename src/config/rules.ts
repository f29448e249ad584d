import { isStrictLocalpart } from '../core/ids/user-id.js'
import { publicKey } from '../platform/ed25519.js'
import type { Fault } from './fault.js'
import type { Config } from './schema.js'

/** What is right key by key, but wrong together. */
export function contradictions(config: Config): Fault[] {
  const faults: Fault[] = []
  const report = (path: Fault['path'], problem: string, remedy: string): void => {
    faults.push({ path, problem, remedy })
  }

  const taken = new Set<string>()
  for (const [index, { address, port }] of config.listeners.entries()) {
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
  if (config.turn.uris.some((uri) => uri.startsWith('turn')) && config.turn.secret === undefined) {
    report(
      ['turn', 'secret'],
      'is missing',
      'Clients cannot use the TURN server without it. Add it, or empty `turn.uris`.',
    )
  }
  for (const [index, contact] of config.well_known.support.contacts.entries()) {
    if (contact.matrix_id === undefined && contact.email_address === undefined) {
      report(
        ['well_known', 'support', 'contacts', index],
        'names nobody',
        'Add `matrix_id` or `email_address`.',
      )
    }
  }
  for (const key of ['m.homeserver', 'm.identity_server']) {
    if (Object.hasOwn(config.well_known.client_extra, key)) {
      report(
        ['well_known', 'client_extra', key],
        'is set by the server',
        'Remove it; `public_baseurl` says where this server is.',
      )
    }
  }
  const { allow, deny, backoff } = config.federation
  for (const [index, name] of deny.entries()) {
    if (allow?.includes(name) === true) {
      report(
        ['federation', 'deny', index],
        `${name} is also in \`allow\``,
        'Keep it in one of the two lists.',
      )
    }
  }
  const banned = new Set(config.federation.banned_keys.map(canonicalKey))
  for (const [server, keys] of Object.entries(config.federation.pinned_keys)) {
    for (const [keyId, key] of Object.entries(keys)) {
      if (banned.has(canonicalKey(key)))
        report(['federation', 'pinned_keys', server, keyId], 'is also in `banned_keys`', 'Pin another key.')
    }
  }
  if (backoff.initial > backoff.max) {
    report(['federation', 'backoff', 'initial'], 'is longer than `max`', 'Make it shorter.')
  }
  const { mail } = config
  if (mail.host === undefined && config.registration.email !== 'off') {
    report(
      ['registration', 'email'],
      'needs mail',
      'Set `mail.host` and `mail.from`, or make `registration.email` `off`.',
    )
  }
  if (mail.host !== undefined && mail.from === undefined) {
    report(['mail', 'from'], 'is missing', 'Say who the sender of mail is.')
  }
  if (mail.host !== undefined && config.public_baseurl === undefined) {
    report(
      ['public_baseurl'],
      'is missing',
      'The links in mails begin with it. Add it, or leave out `mail.host`.',
    )
  }
  if (mail.user !== undefined && (mail.password === undefined || mail.tls === 'off')) {
    report(
      ['mail', 'user'],
      mail.password === undefined ? 'has no password' : 'would log in without TLS',
      mail.password === undefined ? 'Add `mail.password`.' : 'Use `tls: starttls` or `tls: implicit`.',
    )
  }
  const { localpart } = config.server_notices
  if (localpart !== undefined && !isStrictLocalpart(localpart)) {
    report(
      ['server_notices', 'localpart'],
      'is no name of an account',
      'Use the letters a–z, digits and the characters . _ = - / +.',
    )
  }
  const { shared_secret: shared, allow_weak_shared_secret: weakAllowed } = config.registration
  if (shared !== undefined && shared.length < 16 && !weakAllowed) {
    report(['registration', 'shared_secret'], 'can be guessed', 'Use at least 16 random characters.')
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
