import type { JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { roomStream, userStream, type StreamRow } from '../../storage/tables/event-stream.js'
import { ignoredUsersOf } from '../account-data/ignored-users.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { ClientViews, Viewer } from './client-view.js'
import { accessOf } from './room-access.js'
import { parseSyncToken, syncToken } from './tokens.js'
import { readerOf, type Reader } from './visibility.js'

export interface StreamInput {
  /** A token of `/initialSync`, `/sync` or this; without one the stream begins now. */
  readonly from?: string | undefined
  /** One room alone, which the user need not be in if anybody may read it. */
  readonly roomId?: string | undefined
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Throws when the session has ended meanwhile. */
  stillAllowed(): Promise<void>
}

/** The deprecated stream of events one by one, which `/sync` has replaced. Nothing is left out between two answers. */
export interface EventStream {
  /**
   * Waits for events, at most `timeoutMs`. Throws M_INVALID_PARAM for a foreign token, M_FORBIDDEN for a room that the user may not read.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events
   */
  next(viewer: Viewer, input: StreamInput): Promise<JsonObject>
}

export interface EventStreamDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly notifier: Notifier
  readonly maxTimeoutMs: number
}

const MAX_CHUNK = 100
/** Positions looked through at once; four times as many after each fruitless look. */
const WINDOW = 2_000

interface Portion {
  readonly events: readonly StoredEvent[]
  /** Everything up to here was looked at. */
  readonly upTo: number
}

export function createEventStream(deps: EventStreamDeps): EventStream {
  const { context, views, notifier } = deps
  const { store } = context

  async function ofUser(userId: string, from: number, to: number): Promise<Portion> {
    const readers = new Map<number, Promise<Reader>>()
    const { rows, ignored } = await store.read('timeline.userStream', function* () {
      return {
        rows: yield* userStream(userId, from, to, MAX_CHUNK),
        ignored: yield* ignoredUsersOf(userId),
      }
    })
    const readerIn = async (event: StoredEvent): Promise<Reader> => {
      const room = await context.loader.load(event.event.roomId)
      return readerOf(context, room!, userId)
    }
    return portion(rows, to, ignored, (event) => {
      const reader = readers.get(event.roomNid) ?? readerIn(event)
      readers.set(event.roomNid, reader)
      return reader
    })
  }

  async function ofRoom(viewer: Viewer, roomId: string, from: number, to: number): Promise<Portion> {
    const { room, reader, ignored } = await accessOf(context, viewer, roomId)
    const rows = await store.read('timeline.roomStream', () => roomStream(room.nid, from, to, MAX_CHUNK))
    return portion(rows, to, ignored, () => Promise.resolve(reader))
  }

  async function portion(
    rows: readonly StreamRow[],
    to: number,
    ignored: ReadonlySet<string>,
    readerFor: (event: StoredEvent) => Promise<Reader>,
  ): Promise<Portion> {
    const stored = await context.events.byNids(rows.map((row) => row.nid))
    const events: StoredEvent[] = []
    for (const { nid } of rows) {
      const event = stored.get(nid)
      if (event === undefined) continue
      if (event.event.stateKey === undefined && ignored.has(event.event.sender)) continue
      if (await (await readerFor(event)).mayRead(event)) events.push(event)
    }
    return { events, upTo: rows.length < MAX_CHUNK ? to : rows.at(-1)!.pos }
  }

  /** The next events in (from, to]; an empty portion reaches up to the end. */
  async function seek(
    viewer: Viewer,
    roomId: string | undefined,
    from: number,
    to: number,
  ): Promise<Portion> {
    let place = from
    for (let window = WINDOW; ; window *= 4) {
      const end = Math.min(to, place + window)
      const found =
        roomId === undefined
          ? await ofUser(viewer.userId, place, end)
          : await ofRoom(viewer, roomId, place, end)
      if (found.events.length > 0 || found.upTo >= to) return found
      place = found.upTo
    }
  }

  return {
    async next(viewer, { from, roomId, timeoutMs, signal, stillAllowed }) {
      const { clock } = context
      const token = from === undefined ? undefined : parseSyncToken(from)
      const deadline = clock.monotonic() + Math.min(Math.max(0, timeoutMs), deps.maxTimeoutMs)
      const subscription = notifier.subscribe([viewer.userId, ...(roomId === undefined ? [] : [roomId])])
      try {
        const now = await store.position()
        const start = Math.min(token?.pos ?? now, now)
        let place = start
        let isLast = false
        for (;;) {
          const found = await seek(viewer, roomId, place, await store.position())
          place = found.upTo
          const left = deadline - clock.monotonic()
          if (found.events.length > 0 || left <= 0 || signal.aborted || isLast) {
            return {
              start: from ?? syncToken({ pos: start, ephemeral: 0, toDevice: 0 }),
              end: syncToken({
                pos: place,
                ephemeral: token?.ephemeral ?? 0,
                toDevice: token?.toDevice ?? 0,
              }),
              chunk: await views.view(found.events, viewer),
            }
          }
          isLast = !(await subscription.wait(left, signal))
          await stillAllowed()
        }
      } finally {
        subscription.close()
      }
    },
  }
}
