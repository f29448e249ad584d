import { MatrixError, forbidden } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { serversSharingRoomsWith } from '../../storage/tables/memberships.js'
import { inSomeRoom, roomsJoinedBy, sharingRoomsWith } from '../../storage/tables/presence.js'
import type { EphemeralPositions } from '../ephemeral-positions.js'
import type { Requester } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import { createPresenceStates, type PresenceName, type PresenceState } from './presence-states.js'

/**
 * Who is there. Kept in memory and never written. SPEC: https://spec.matrix.org/v1.19/client-server-api/#presence
 *
 * A change is shown with the next answer that somebody's `/sync` gives anyway; long polls are woken for it, once a second for all
 * changes together, only in rooms of few local members, so that one person in a room of ten thousand wakes nobody.
 */
export interface Presence {
  /** Throws M_FORBIDDEN for another user, M_USER_SUSPENDED. */
  set(
    requester: Requester,
    userId: string,
    input: { readonly presence: PresenceName; readonly statusMsg: string | undefined },
  ): void
  /** Throws M_FORBIDDEN for somebody with whom one shares no room, be they there or not. */
  get(requester: Requester, userId: string): Promise<JsonObject>
  /** A `/sync` began; the function that it gives is called when it ends. */
  beginSync(requester: Requester, presence: PresenceName): () => void
  /** `m.presence` events of those in the viewer's rooms who changed after a position; with 0, of all who are there. */
  eventsFor(viewer: string, after: number): Promise<readonly JsonObject[]>
  /** `m.presence` events of those who changed after a position, whoever they are: for application services. At most `max`, the latest. */
  changedAfter(after: number, max: number): readonly { readonly userId: string; readonly event: JsonObject }[]
  /** A local user did something. */
  onActivity(userId: string): void
  onLocalJoin(roomId: string, userId: string): Promise<void>
  /** An `m.presence` of another server. */
  onEdu(origin: string, content: JsonObject): Promise<void>
  /** Job, every second: lets time pass, and tells of what changed. */
  tick(): Promise<void>
}

export interface PresenceOptions {
  readonly enabled: boolean
  /** Tell other servers, and listen to them. */
  readonly federate: boolean
}

export interface PresenceDeps {
  readonly context: Pick<RoomsContext, 'store' | 'clock' | 'logger' | 'serverName' | 'rosters' | 'loader'>
  readonly positions: EphemeralPositions
  readonly notifier: Pick<Notifier, 'notify'>
  sendEphemeral(
    destinations: readonly string[],
    edu: { readonly edu_type: string; readonly content: JsonObject },
    coalesceKey: string,
  ): void
  readonly options: PresenceOptions
}

/** Users of whose change one tick tells by itself; the others are shown with the next answers. */
const MAX_TOLD = 300
/** Local members of a room whose long polls are woken. */
const MAX_WOKEN = 200
const MAX_ROOMS_WOKEN = 500
/** Changes that one answer looks through, and people in one query. */
const MAX_LOOKED_AT = 2_000
const BATCH = 400
const SWEEP_EVERY = 5_000
const MAX_PUSHED = 100
const MAX_STATUS = 1_024

export function createPresence(deps: PresenceDeps): Presence {
  const { context, notifier, options } = deps
  const { store, clock, serverName } = context
  const states = createPresenceStates({ clock, positions: deps.positions })
  let swept = clock.monotonic()

  function contentOf({ presence, statusMsg, lastActive, currentlyActive }: PresenceState): JsonObject {
    return {
      presence,
      ...(lastActive === undefined
        ? {}
        : { last_active_ago: Math.max(0, Math.round(clock.monotonic() - lastActive)) }),
      ...(presence === 'online' ? { currently_active: currentlyActive } : {}),
      ...(statusMsg === undefined ? {} : { status_msg: statusMsg }),
    }
  }

  async function amongThoseKnown(viewer: string, userIds: readonly string[]): Promise<Set<string>> {
    const known = new Set<string>(userIds.includes(viewer) ? [viewer] : [])
    for (let i = 0; i < userIds.length; i += BATCH) {
      const part = userIds.slice(i, i + BATCH)
      for (const id of await store.read('presence.sharing', () => sharingRoomsWith(viewer, part)))
        known.add(id)
    }
    return known
  }

  async function wake(userIds: readonly string[]): Promise<void> {
    const rooms = await store.read('presence.rooms', () => roomsJoinedBy(userIds))
    const woken = new Set<string>(userIds)
    for (const nid of rooms.slice(0, MAX_ROOMS_WOKEN)) {
      const { local } = await context.rosters.of(nid)
      if (local.size <= MAX_WOKEN) for (const member of local) woken.add(member)
    }
    notifier.notify(woken)
  }

  async function tellServers(userIds: readonly string[]): Promise<void> {
    for (const userId of userIds) {
      const servers = await store.read('presence.servers', () => serversSharingRoomsWith(userId))
      if (servers.length === 0) continue
      const content = { last_active_ago: 0, ...contentOf(states.of(userId)) }
      deps.sendEphemeral(
        servers,
        { edu_type: 'm.presence', content: { push: [{ user_id: userId, ...content }] } },
        `presence ${userId}`,
      )
    }
  }

  const isLocal = (userId: string): boolean => serverNameOf(userId) === serverName
  const deviceOf = (requester: Requester): string => requester.deviceId ?? ''

  return {
    set(requester, userId, { presence, statusMsg }) {
      if (userId !== requester.userId) throw forbidden('You can set your own presence only')
      if (requester.isSuspended) throw new MatrixError('M_USER_SUSPENDED', 'This account is suspended')
      if (options.enabled) states.say(userId, deviceOf(requester), presence, statusMsg || undefined)
    },

    async get(requester, userId) {
      const known = await amongThoseKnown(requester.userId, [userId])
      if (!known.has(userId)) throw forbidden('You are not allowed to see their presence')
      return contentOf(states.of(userId))
    },

    beginSync(requester, presence) {
      if (!options.enabled || requester.isSuspended) return () => undefined
      return states.poll(requester.userId, deviceOf(requester), presence)
    },

    async eventsFor(viewer, after) {
      if (!options.enabled) return []
      const changed = states.changedSince(after, MAX_LOOKED_AT)
      const wanted = after === 0 ? changed.filter((id) => states.of(id).presence !== 'offline') : changed
      if (wanted.length === 0) return []
      const known = await amongThoseKnown(viewer, wanted)
      return wanted
        .filter((id) => known.has(id))
        .map((id) => ({ type: 'm.presence', sender: id, content: contentOf(states.of(id)) }))
    },

    changedAfter(after, max) {
      if (!options.enabled) return []
      return states.changedSince(after, max).map((userId) => ({
        userId,
        event: { type: 'm.presence', sender: userId, content: contentOf(states.of(userId)) },
      }))
    },

    onActivity(userId) {
      if (options.enabled) states.active(userId)
    },

    async onLocalJoin(roomId, userId) {
      if (!options.enabled) return
      const room = await context.loader.load(roomId)
      if (room === undefined) return
      const { local } = await context.rosters.of(room.nid)
      states.touch(userId)
      // In a crowd the newcomer learns of the others as they change.
      if (local.size <= MAX_WOKEN) for (const member of local) states.touch(member)
    },

    async onEdu(origin, content) {
      const push = ownValue(content, 'push')
      if (!options.enabled || !options.federate || !Array.isArray(push)) return
      const said = (push as readonly Json[]).slice(0, MAX_PUSHED).flatMap((item) => readPush(origin, item))
      if (said.length === 0) return
      const users = [...new Set(said.map((one) => one.userId))]
      const known = new Set(await store.read('presence.known', () => inSomeRoom(users)))
      for (const { userId, state, ago } of said) if (known.has(userId)) states.remote(userId, state, ago)
    },

    async tick() {
      if (!options.enabled) return
      if (clock.monotonic() - swept >= SWEEP_EVERY) {
        swept = clock.monotonic()
        states.sweep()
      }
      const changed = [...states.takeChanged()].slice(0, MAX_TOLD)
      if (changed.length === 0) return
      await wake(changed)
      if (options.federate) await tellServers(changed.filter(isLocal))
    },
  }
}

const NAMES: ReadonlySet<unknown> = new Set<PresenceName>(['online', 'unavailable', 'offline'])
const isName = (value: unknown): value is PresenceName => NAMES.has(value)

interface Said {
  readonly userId: string
  readonly state: Pick<PresenceState, 'presence' | 'statusMsg' | 'currentlyActive'>
  readonly ago: number
}

function readPush(origin: string, item: Json): Said[] {
  if (!isObject(item)) return []
  const userId = ownValue(item, 'user_id')
  const presence = ownValue(item, 'presence')
  if (typeof userId !== 'string' || serverNameOf(userId) !== origin || !isName(presence)) return []
  const ago = ownValue(item, 'last_active_ago')
  const status = ownValue(item, 'status_msg')
  return [
    {
      userId,
      state: {
        presence,
        statusMsg: typeof status === 'string' && status !== '' ? status.slice(0, MAX_STATUS) : undefined,
        currentlyActive: presence === 'online' && ownValue(item, 'currently_active') === true,
      },
      ago: typeof ago === 'number' && ago > 0 ? Math.min(ago, Number.MAX_SAFE_INTEGER) : 0,
    },
  ]
}
