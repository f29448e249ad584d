import { createHmac } from 'node:crypto'
import { KNOWN_ROOM_VERSIONS } from '../../core/room-version/versions.js'
import type { Clock } from '../../platform/clock.js'
import type { Requester } from '../requester.js'

export interface TurnOptions {
  readonly uris: readonly string[]
  /** Shared with the TURN server (coturn's `static-auth-secret`). */
  readonly sharedSecret: string
  /** Seconds. Default a day. */
  readonly ttlSeconds?: number
  readonly allowGuests?: boolean
}

/** A server for calls of many people. NOTSPEC: MSC4143. */
export interface RtcTransport {
  readonly type: string
  readonly livekit_service_url: string
}

export interface ServerInfoOptions {
  readonly defaultRoomVersion: string
  readonly changePassword?: boolean
  readonly getLoginToken?: boolean
  /** Whether users can add e-mail addresses. Default false. */
  readonly changeThreepids?: boolean
  /** Profile fields that users may not change; the same list as of the profile service. */
  readonly managedProfileFields?: readonly string[]
  readonly turn?: TurnOptions
  /** What bounds events that are sent later; absent, or none of them: not offered. NOTSPEC: MSC4140. */
  readonly delayedEvents?: { readonly max_delay_ms: number; readonly max_scheduled: number }
  /** Push rules look at which threads people follow. Default false. NOTSPEC: MSC4306. */
  readonly followedThreads?: boolean
  /** In the order in which clients should try them. Default none. */
  readonly rtcTransports?: readonly RtcTransport[]
}

/** What the server can do, as clients ask before they log in and after. */
export interface ServerInfo {
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions */
  versions(): object
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#capabilities-negotiation */
  capabilities(requester: Requester): object
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver */
  turnServer(requester: Requester): object
  /** NOTSPEC: MSC4143. */
  rtcTransports(): { readonly rtc_transports: readonly RtcTransport[] }
}

/**
 * Each version by name: clients look for single versions in the list. The old releases are there for clients that look
 * for nothing newer.
 */
const VERSIONS: readonly string[] = [
  ...['r0.5.0', 'r0.6.0', 'r0.6.1'],
  ...Array.from({ length: 19 }, (_, at) => `v1.${at + 1}`),
]

/** Only what really works: a client that finds a flag here relies on it. */
const UNSTABLE_FEATURES: Readonly<Record<string, boolean>> = {
  // MSC4186, which clients know by the name of what came before it.
  'org.matrix.simplified_msc3575': true,
  // Invite filtering.
  'org.matrix.msc4155': true,
  // Deleting account data.
  'org.matrix.msc3391': true,
  // Filters by relation.
  'org.matrix.msc3874': true,
  // What was set for a device about its notifications ends with it.
  'org.matrix.msc3890': true,
  // Sticky events.
  'org.matrix.msc4354': true,
  // Changes of profiles in sliding sync.
  'org.matrix.msc4262': true,
  // Rooms in common, by both names.
  'uk.half-shot.msc2666.query_mutual_rooms': true,
  'uk.half-shot.msc2666.query_mutual_rooms.stable': true,
}

const DAY_SECONDS = 86_400

export function createServerInfo(deps: {
  readonly clock: Pick<Clock, 'now'>
  readonly options: ServerInfoOptions
}): ServerInfo {
  const { clock, options } = deps
  const {
    changePassword = true,
    getLoginToken = true,
    managedProfileFields = [],
    turn,
    rtcTransports = [],
    delayedEvents,
    followedThreads = false,
  } = options
  const versions = Object.freeze({
    versions: VERSIONS,
    unstable_features: {
      ...UNSTABLE_FEATURES,
      ...(delayedEvents === undefined || delayedEvents.max_scheduled === 0
        ? {}
        : { 'org.matrix.msc4140': true }),
      ...(followedThreads ? { 'org.matrix.msc4306': true } : {}),
      ...(rtcTransports.length === 0 ? {} : { 'org.matrix.msc4143': true }),
    },
  })
  const mayChange = (field: string): { readonly enabled: boolean } => ({
    enabled: !managedProfileFields.includes(field),
  })
  const common = {
    'm.change_password': { enabled: changePassword },
    'm.room_versions': {
      default: options.defaultRoomVersion,
      available: Object.fromEntries(
        [...KNOWN_ROOM_VERSIONS.values()].map((rules) => [rules.id, rules.stable ? 'stable' : 'unstable']),
      ),
    },
    'm.profile_fields': {
      enabled: true,
      ...(managedProfileFields.length === 0 ? {} : { disallowed: managedProfileFields }),
    },
    'm.set_displayname': mayChange('displayname'),
    'm.set_avatar_url': mayChange('avatar_url'),
    'm.3pid_changes': { enabled: options.changeThreepids === true },
    'm.get_login_token': { enabled: getLoginToken },
    ...(delayedEvents === undefined ? {} : { 'org.matrix.msc4140.delayed_events': delayedEvents }),
  }

  return {
    versions: () => versions,
    rtcTransports: () => ({ rtc_transports: rtcTransports }),
    capabilities: (requester) => ({
      capabilities: {
        ...common,
        ...(requester.isAdmin ? { 'm.account_moderation': { suspend: true, lock: true } } : {}),
      },
    }),
    turnServer(requester) {
      if (turn === undefined || (requester.isGuest && turn.allowGuests !== true)) return {}
      const ttl = turn.ttlSeconds ?? DAY_SECONDS
      const username = `${Math.floor(clock.now() / 1000) + ttl}:${requester.userId}`
      return {
        username,
        // What coturn computes too ("TURN REST API"); SHA-1 is its choice.
        password: createHmac('sha1', turn.sharedSecret).update(username).digest('base64'),
        uris: turn.uris,
        ttl,
      }
    },
  }
}
