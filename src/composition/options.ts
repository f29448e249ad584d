import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import type { Signer as EventSigner } from '../core/event/sign.js'
import type { Budget, RateLimits } from '../http/rate-limit.js'
import type { RateLimit } from '../http/route.js'
import { publicKey } from '../platform/ed25519.js'
import type { AccountsOptions } from '../services/accounts/accounts.js'
import type { AttemptOptions } from '../services/accounts/attempts.js'
import type { DelayedEventsOptions } from '../services/delayed-events/delayed-events.js'
import type { TransportOptions } from '../services/federation/transport.js'
import type { MediaOptions } from '../services/media/media.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { NodeInfoOptions } from '../services/node-info.js'
import type { ServerNoticesOptions } from '../services/server-notices/server-notices.js'
import type { ServerInfoOptions } from '../services/server-info/server-info.js'
import { VERSION } from '../version.js'
import { accountNames } from './address-rules.js'
import { ownAccounts, ownLocalparts } from './own-accounts.js'

/** What parts of the server are told of the configuration, in their own words. */

/** Signs events with the key of the moment: a rotation changes it. */
export const eventSignerOf = (
  signer: Pick<EventSigner, 'keyId' | 'sign'>,
  serverName: string,
): EventSigner => ({
  serverName,
  get keyId() {
    return signer.keyId
  },
  sign: signer.sign,
})

/** Whether there is a list of those with whom this server speaks. */
const isClosed = ({ federation, node_list: nodes }: Config): boolean =>
  federation.allow !== null || nodes.file !== undefined || nodes.url !== undefined

export function nodeInfoOptions(config: Config): NodeInfoOptions {
  const { federation, registration } = config
  return {
    serverName: config.server_name,
    version: VERSION,
    ...(config.public_baseurl === undefined
      ? {}
      : { publicBaseurl: config.public_baseurl.replace(/\/$/, '') }),
    federation: !federation.enabled ? 'off' : isClosed(config) ? 'closed' : 'open',
    registration: !registration.enabled ? 'closed' : registration.flow === 'token' ? 'token' : 'open',
    ...(config.admin_contact === undefined ? {} : { adminContact: config.admin_contact }),
    wellKnownClientExtra: config.well_known.client_extra,
    ...(federation.well_known_server === undefined ? {} : { wellKnownServer: federation.well_known_server }),
    ...(config.well_known.policy_server_key === undefined
      ? {}
      : { policyServerKey: config.well_known.policy_server_key }),
    support: {
      contacts: config.well_known.support.contacts,
      ...(config.well_known.support.page === undefined ? {} : { page: config.well_known.support.page }),
    },
  }
}

export function transportOptions({ federation }: Config): TransportOptions {
  return {
    enabled: federation.enabled,
    ...(federation.allow === null ? {} : { allow: federation.allow }),
    deny: federation.deny,
    notaries: federation.trusted_key_servers.map((serverName) => ({ serverName })),
    hosts: new Map(Object.entries(federation.hosts)),
    useWellKnown: federation.use_well_known,
    useSrv: federation.use_srv,
    ...(federation.denied_ip_ranges === null ? {} : { deniedIpRanges: federation.denied_ip_ranges }),
    allowedIpRanges: federation.allowed_ip_ranges,
    extraCa: federation.ca_files.map((path) => readFileSync(path, 'utf8')),
    caByServer: new Map(
      Object.entries(federation.server_ca_files).map(([server, paths]) => [
        server,
        paths.map((path) => readFileSync(path, 'utf8')),
      ]),
    ),
    pinnedKeys: new Map(
      Object.entries(federation.pinned_keys).map(([server, keys]) => [server, new Map(Object.entries(keys))]),
    ),
    bannedKeys: new Set(federation.banned_keys.map((key) => publicKey(key)!.base64)),
    verifyTls: federation.verify_tls,
    connectTimeoutMs: federation.timeouts.connect,
    questionTimeoutMs: federation.timeouts.request,
  }
}

/** How many wrong passwords are answered; undefined: any number. */
function attemptOptions({ passwords }: Config): AttemptOptions | undefined {
  const { wrong_attempts: limits } = passwords
  if (limits === false) return undefined
  return { perAddress: limits.per_address, perAccount: limits.per_account, windowMs: limits.window }
}

export function accountsOptions(
  config: Config,
  nodeList: Pick<NodeListService, 'member'> | undefined,
): AccountsOptions {
  const { passwords, registration, sessions } = config
  const domains = registration.email_domains?.map((domain) => domain.toLowerCase())
  const attempts = attemptOptions(config)
  return {
    passwords: {
      cost: {
        memoryKib: passwords.memory_kib,
        iterations: passwords.iterations,
        parallelism: passwords.parallelism,
      },
      minLength: passwords.min_length,
      require: passwords.require,
    },
    registration: {
      enabled: registration.enabled,
      requireToken: registration.flow === 'token',
      guests: registration.guests,
      reserved: ownLocalparts(config),
      email: registration.email,
      ...(domains === undefined ? {} : { emailDomains: domains }),
    },
    login: { tokenLifetimeMs: sessions.login_token_lifetime },
    uia: { lifetimeMs: sessions.auth_session_lifetime },
    tokens: {
      refreshableMs: sessions.access_token_lifetime,
      ...(sessions.session_lifetime === null ? {} : { nonRefreshableMs: sessions.session_lifetime }),
    },
    ...(attempts === undefined ? {} : { attempts }),
    names: accountNames(config, nodeList),
    ownAccounts: ownAccounts(config),
    ...(registration.shared_secret === undefined
      ? {}
      : { registrationSharedSecret: registration.shared_secret }),
  }
}

export function delayedEventsOptions({ delayed_events }: Config): DelayedEventsOptions {
  return { maxDelayMs: delayed_events.max_delay, maxScheduled: delayed_events.max_scheduled }
}

/** What of a profile users cannot change. */
export const managedFields = ({ managed_accounts: managed }: Config): readonly string[] =>
  managed.locked.filter((field) => field !== 'addresses')

export function serverInfoOptions(config: Config): ServerInfoOptions {
  const { rooms, turn, rtc, mail, push, managed_accounts: managed } = config
  const { maxDelayMs, maxScheduled } = delayedEventsOptions(config)
  return {
    delayedEvents: { max_delay_ms: maxDelayMs, max_scheduled: maxScheduled },
    defaultRoomVersion: rooms.default_room_version,
    changeThreepids: mail.host !== undefined && !managed.locked.includes('addresses'),
    managedProfileFields: managedFields(config),
    followedThreads: push.followed_threads,
    rtcTransports: rtc.transports,
    ...(turn.secret === undefined || turn.uris.length === 0
      ? {}
      : {
          turn: { uris: turn.uris, sharedSecret: turn.secret, ttlSeconds: Math.round(turn.ttl / 1000) },
        }),
  }
}

/** What may be fetched from elsewhere, in bytes and milliseconds. */
export const remoteMediaLimits = ({
  media,
}: Config): { readonly maxRemoteBytes: number; readonly remoteTimeoutMs: number } => ({
  maxRemoteBytes: media.remote_max_bytes,
  remoteTimeoutMs: media.remote_timeout,
})

export function mediaOptions(config: Config): MediaOptions {
  const { media } = config
  return {
    path: media.path,
    maxUploadBytes: media.max_upload_bytes,
    maxImagePixels: media.max_image_pixels,
    thumbnailSizes: media.thumbnails,
    dynamicThumbnails: media.dynamic_thumbnails,
    ...(media.remote_cache_max_bytes === null ? {} : { remoteCacheBytes: media.remote_cache_max_bytes }),
    ...(media.remote_cache_lifetime === null ? {} : { remoteCacheMs: media.remote_cache_lifetime }),
    ...remoteMediaLimits(config),
    legacyUnauthenticated: media.legacy_unauthenticated,
  }
}

/** Undefined where the server sends no notices. */
export function noticesOptions(config: Config): ServerNoticesOptions | undefined {
  const {
    localpart,
    display_name: displayName,
    avatar_url: avatarUrl,
    room_name: roomName,
  } = config.server_notices
  if (localpart === undefined) return undefined
  return { localpart, displayName, roomName, ...(avatarUrl === undefined ? {} : { avatarUrl }) }
}

/** `false` in the file is no limit. */
export function rateLimits({ rate_limits: { enabled, ...budgets } }: Config): RateLimits {
  if (!enabled) return {}
  const limits: Record<RateLimit, Budget | false> = budgets
  const entries = Object.entries(limits).filter((entry) => entry[1] !== false)
  return Object.fromEntries(entries) as RateLimits
}
