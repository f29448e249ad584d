import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import {
  queueForAppservices,
  queueToDeviceForAppservices,
  type QueuedEvent,
} from '../../storage/tables/appservices.js'
import type { Tx } from '../../storage/tx.js'
import { memberChanges, type Pending, type WorkingRoom } from '../rooms/working-room.js'
import type { Interest } from './interest.js'
import type { Appservice, AppserviceRegistry } from './registry.js'

/**
 * Notes what application services are to be told, in the transactions of what they are told of. Without any that want to be told
 * something, nothing here costs anything.
 */
export interface AppserviceWatch {
  /** Part of the transaction that writes the room's pending events, after they have their positions. */
  stageEvents(room: WorkingRoom): Tx<void>
  /** Part of the transaction that records a membership in a room that this server is not in; the event as clients see it. */
  stageOutside(userId: string, pos: number, event: JsonObject): Tx<void>
  /** Part of the transaction in which messages wait for these devices. */
  stageToDevice(
    rows: readonly { readonly user_id: string; readonly device_id: string; readonly pos: number }[],
  ): Tx<void>
  /** Those for which something of this room was noted. After its transaction is on disk. */
  concerned(room: WorkingRoom): ReadonlySet<string>
  /** Those that act for the user, and want to be told. */
  ownersOf(userId: string): readonly Appservice[]
}

const NOBODY: ReadonlySet<string> = new Set()

export function createAppserviceWatch(deps: {
  readonly registry: AppserviceRegistry
  readonly interest: Interest
  readonly clock: Pick<Clock, 'now'>
}): AppserviceWatch {
  const { registry, interest, clock } = deps
  const told = registry.all.filter((one) => one.registration.url !== undefined)
  const staged = new WeakMap<WorkingRoom, Set<string>>()

  const isStaged = ({ live, stored }: Pending): boolean =>
    live && stored.pos !== undefined && !stored.softFailed && stored.rejected === undefined

  const isAbout = (appservice: Appservice, { stored: { event } }: Pending): boolean =>
    appservice.ownsUser(event.sender) ||
    (event.type === 'm.room.member' && event.stateKey !== undefined && appservice.ownsUser(event.stateKey))

  /**
   * The pending events that came while one of its users was in the room, or are about one. Memberships may change within the batch: they are
   * followed backwards from what they are after it.
   */
  function ofMembers(appservice: Appservice, room: WorkingRoom): Pending[] {
    const changes = (item: Pending): ReturnType<typeof memberChanges> =>
      memberChanges(item.stateChanges).filter(({ userId }) => appservice.ownsUser(userId))
    const { local } = room.roster
    if (room.pending.every((item) => changes(item).length === 0)) {
      return interest.hasMember(appservice, local)
        ? [...room.pending]
        : room.pending.filter((item) => isAbout(appservice, item))
    }
    const present = new Set([...local].filter((userId) => appservice.ownsUser(userId)))
    const found: Pending[] = []
    for (const item of [...room.pending].reverse()) {
      if (present.size > 0 || isAbout(appservice, item)) found.push(item)
      for (const { userId, before } of changes(item)) {
        if (before === 'join') present.add(userId)
        else present.delete(userId)
      }
    }
    return found.reverse()
  }

  return {
    *stageEvents(room) {
      const concerned = new Set<string>()
      staged.set(room, concerned)
      const ts = clock.now()
      for (const appservice of told) {
        const items = (yield* interest.byName(appservice, room.roomId))
          ? room.pending
          : ofMembers(appservice, room)
        const rows = items.filter(isStaged).map(({ stored }): QueuedEvent => ({
          appservice_id: appservice.id,
          pos: stored.pos!,
          user_id: '',
          event_nid: stored.nid,
          json: null,
          ts,
        }))
        if (rows.length === 0) continue
        concerned.add(appservice.id)
        yield* queueForAppservices(rows)
      }
    },

    *stageOutside(userId, pos, event) {
      const json = JSON.stringify(event)
      const ts = clock.now()
      yield* queueForAppservices(
        told
          .filter((appservice) => appservice.ownsUser(userId))
          .map(({ id }) => ({ appservice_id: id, pos, user_id: userId, event_nid: null, json, ts })),
      )
    },

    *stageToDevice(rows) {
      yield* queueToDeviceForAppservices(
        told
          .filter(({ registration }) => registration.receivesEphemeral || registration.encrypts)
          .flatMap((appservice) =>
            rows
              .filter((row) => appservice.ownsUser(row.user_id))
              .map((row) => ({ appservice_id: appservice.id, ...row })),
          ),
      )
    },

    concerned: (room) => staged.get(room) ?? NOBODY,
    ownersOf: (userId) => told.filter((appservice) => appservice.ownsUser(userId)),
  }
}
