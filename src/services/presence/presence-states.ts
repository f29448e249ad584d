import type { Clock } from '../../platform/clock.js'
import type { EphemeralPositions } from '../ephemeral-positions.js'

export type PresenceName = 'online' | 'unavailable' | 'offline'

/** What others see of a user. */
export interface PresenceState {
  readonly presence: PresenceName
  readonly statusMsg: string | undefined
  /** Of the monotonic clock; undefined for never. */
  readonly lastActive: number | undefined
  /** Others hear no more of activity until this is false. */
  readonly currentlyActive: boolean
  /** The ephemeral position of the last change. */
  readonly changed: number
}

/**
 * Presence of local and remote users, in memory alone. Local users are followed by device: they are online while one device says
 * so and the user has done something lately.
 */
export interface PresenceStates {
  of(userId: string): PresenceState
  /** A device says what its user is. Saying `online` outside of a poll is something that the user did. */
  say(userId: string, deviceId: string, presence: PresenceName, statusMsg: string | undefined): void
  /** A device began to wait for news; to be called once more when it ends. */
  poll(userId: string, deviceId: string, presence: PresenceName): () => void
  /** The user did something. */
  active(userId: string): void
  /** What another server says. `ago`: milliseconds. */
  remote(
    userId: string,
    state: Pick<PresenceState, 'presence' | 'statusMsg' | 'currentlyActive'>,
    ago: number,
  ): void
  /** Shows somebody anew to those who do not know yet. */
  touch(userId: string): void
  /** Users who changed after a position, the latest first. */
  changedSince(position: number, max: number): readonly string[]
  /** Lets time pass: devices that are gone, users who do nothing. */
  sweep(): void
  /** Users whose change was not announced yet; they are not given again. */
  takeChanged(): ReadonlySet<string>
  readonly size: number
}

/** Milliseconds. A device between two polls is not gone. */
const GONE_AFTER = 30_000
const IDLE_AFTER = 5 * 60_000
const ACTIVE_FOR = 60_000
const REMOTE_KEPT = 30 * 60_000
const MAX_DEVICES = 20

interface Device {
  presence: PresenceName
  polls: number
  seen: number
}

interface Person {
  /** Empty for users of other servers. */
  readonly devices: Map<string, Device>
  readonly isRemote: boolean
  /** When another server last said something. */
  heard: number
  shown: PresenceState
}

const NOBODY: PresenceState = {
  presence: 'offline',
  statusMsg: undefined,
  lastActive: undefined,
  currentlyActive: false,
  changed: 0,
}

export function createPresenceStates(
  deps: { readonly clock: Clock; readonly positions: EphemeralPositions },
  maxUsers = 50_000,
): PresenceStates {
  const { clock, positions } = deps
  /** The one who changed last stands last. */
  const people = new Map<string, Person>()
  let changed = new Set<string>()

  function personOf(userId: string, isRemote: boolean): Person {
    let person = people.get(userId)
    if (person === undefined) {
      person = { devices: new Map(), isRemote, heard: 0, shown: NOBODY }
      people.set(userId, person)
      if (people.size > maxUsers) {
        const oldest = people.keys().next().value!
        people.delete(oldest)
        changed.delete(oldest)
      }
    }
    return person
  }

  function show(userId: string, person: Person, next: Omit<PresenceState, 'changed'>): void {
    const { shown } = person
    const isNews =
      shown.presence !== next.presence ||
      shown.statusMsg !== next.statusMsg ||
      shown.currentlyActive !== next.currentlyActive
    person.shown = { ...next, changed: isNews ? positions.next() : shown.changed }
    if (!isNews) return
    people.delete(userId)
    people.set(userId, person)
    changed.add(userId)
  }

  /** What the devices make of the user now. */
  function settle(userId: string, person: Person, statusMsg: string | undefined): void {
    const now = clock.monotonic()
    for (const [id, device] of person.devices) {
      if (device.polls === 0 && now - device.seen > GONE_AFTER) person.devices.delete(id)
    }
    const said = new Set([...person.devices.values()].map((device) => device.presence))
    const { lastActive } = person.shown
    const idle = lastActive === undefined ? Infinity : now - lastActive
    const isOnline = said.has('online') && idle < IDLE_AFTER
    const presence = isOnline
      ? 'online'
      : said.has('online') || said.has('unavailable')
        ? 'unavailable'
        : 'offline'
    show(userId, person, { presence, statusMsg, lastActive, currentlyActive: isOnline && idle < ACTIVE_FOR })
  }

  function deviceOf(person: Person, deviceId: string): Device {
    let device = person.devices.get(deviceId)
    if (device === undefined) {
      if (person.devices.size >= MAX_DEVICES) person.devices.delete(person.devices.keys().next().value!)
      device = { presence: 'offline', polls: 0, seen: clock.monotonic() }
      person.devices.set(deviceId, device)
    }
    return device
  }

  function bump(person: Person): void {
    person.shown = { ...person.shown, lastActive: clock.monotonic() }
  }

  return {
    of: (userId) => people.get(userId)?.shown ?? NOBODY,

    say(userId, deviceId, presence, statusMsg) {
      const person = personOf(userId, false)
      Object.assign(deviceOf(person, deviceId), { presence, seen: clock.monotonic() })
      if (presence === 'online') bump(person)
      settle(userId, person, statusMsg)
    },

    poll(userId, deviceId, presence) {
      const person = personOf(userId, false)
      const device = deviceOf(person, deviceId)
      device.polls++
      // Someone who comes is there; someone who merely stays need not be.
      if (presence === 'online' && person.shown.presence === 'offline') bump(person)
      device.presence = presence
      settle(userId, person, person.shown.statusMsg)
      let open = true
      return () => {
        if (!open) return
        open = false
        device.polls--
        device.seen = clock.monotonic()
      }
    },

    active(userId) {
      const person = people.get(userId)
      if (person === undefined || person.devices.size === 0) return
      bump(person)
      // Whoever does something is not idle, unless they want to be unseen.
      for (const device of person.devices.values()) {
        if (device.presence === 'unavailable') device.presence = 'online'
      }
      settle(userId, person, person.shown.statusMsg)
    },

    remote(userId, state, ago) {
      const person = personOf(userId, true)
      person.heard = clock.monotonic()
      show(userId, person, { ...state, lastActive: clock.monotonic() - ago })
    },

    touch(userId) {
      const person = people.get(userId)
      if (person === undefined || person.shown.presence === 'offline') return
      person.shown = { ...person.shown, changed: positions.next() }
      people.delete(userId)
      people.set(userId, person)
    },

    changedSince(position, max) {
      const found: string[] = []
      for (const userId of [...people.keys()].reverse()) {
        if (people.get(userId)!.shown.changed <= position || found.length >= max) break
        found.push(userId)
      }
      return found
    },

    sweep() {
      const now = clock.monotonic()
      for (const [userId, person] of [...people]) {
        if (person.shown.presence === 'offline') continue
        if (!person.isRemote) settle(userId, person, person.shown.statusMsg)
        else if (now - person.heard > REMOTE_KEPT) {
          show(userId, person, { ...person.shown, presence: 'offline', currentlyActive: false })
        }
      }
    },

    takeChanged() {
      const taken = changed
      changed = new Set()
      return taken
    },

    get size() {
      return people.size
    },
  }
}
