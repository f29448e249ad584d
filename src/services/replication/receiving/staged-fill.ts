import type { RoomEvent } from '../../../core/event/types.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import { backoffDelay } from '../../../platform/backoff.js'
import { createLru } from '../../../platform/lru.js'
import { markStagedVerified, stagedByNids } from '../../../storage/tables/staging.js'
import type { RoomsContext } from '../../rooms/context.js'
import { loadResident } from '../../rooms/residence.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { applyEvents, type Applied } from '../history/apply-events.js'
import type { GapFill } from '../history/gap-fill.js'
import { storedByIds } from '../history/missing-auth.js'
import type { PduIntake } from '../peers/pdu-intake.js'
import { sortOut, toApply, verifyStaged, type Staged } from './staged-events.js'
import type { Retries, StagedRows } from './staged-rows.js'

/** Events that are applied together. */
export const APPLIED_AT_ONCE = 64
/** No pause of a room is longer, in milliseconds. */
export const LONGEST_PAUSE = 60_000

export interface StagedFillDeps {
  readonly context: RoomsContext
  readonly intake: PduIntake
  readonly gapFill: GapFill
  readonly settling: StagedRows
  readonly retry: Retries['retry']
  /** Aborted when the process ends. */
  readonly signal: AbortSignal
}

/** So often the whole of a state is asked for, over some five minutes. */
const WHOLE_ATTEMPTS = 6
/** So often what lies before the removal of our last user is asked for. */
const REMOVAL_ATTEMPTS = 2

/** Whether an event throws out the only user of this server who is in the room. */
const removesLast = (event: RoomEvent, local: ReadonlySet<string>): boolean =>
  event.type === 'm.room.member' &&
  event.stateKey !== undefined &&
  event.stateKey !== event.sender &&
  local.size === 1 &&
  local.has(event.stateKey) &&
  (event.content['membership'] === 'leave' || event.content['membership'] === 'ban')

/**
 * Fetches what the first of some staged rows of a room wait for, with those of the same origin, and applies them. `onApplied` is told of
 * what was fetched.
 */
export type StagedFill = (
  roomId: string,
  nids: readonly number[],
  onApplied: (applied: readonly Applied[]) => Promise<void>,
) => Promise<void>

export function createStagedFill(deps: StagedFillDeps): StagedFill {
  const { context, gapFill, settling, retry, signal } = deps
  const { store, clock, random } = context
  const { finish, drop, fail, postpone } = settling
  /** Origins whose gaps could not be filled, by room: they are not asked about again at once. */
  const cooling = createLru<string, { readonly until: number; readonly failures: number }>({ max: 10_000 })

  /** The rows of the first one's origin whose signatures are valid. */
  async function verified(
    room: RoomSnapshot,
    nids: readonly number[],
  ): Promise<{ readonly origin: string; readonly staged: readonly Staged[] } | undefined> {
    const rows = await store.read('drain.parked', () => stagedByNids(nids))
    const origin = rows[0]?.origin
    if (origin === undefined) return undefined
    const own = rows.filter((row) => row.origin === origin)
    const verdicts = await verifyStaged(deps.intake, room, own)
    await drop(verdicts.refused, 'its signatures are not valid')
    await fail(verdicts.unsure, new Error('a key of its server cannot be had'))
    if (verdicts.fresh.length > 0) {
      await store.write('drain.verified', () =>
        markStagedVerified(verdicts.fresh.map(({ row, json }) => ({ nid: row.nid, json }))),
      )
    }
    return { origin, staged: verdicts.events }
  }

  /** What lacks auth events must not be judged: it would be rejected for ever. Nor what stands on such an event. */
  async function withKnownAuth(events: readonly RoomEvent[]): Promise<RoomEvent[]> {
    const stored = await storedByIds(
      context,
      events.flatMap((event) => event.authEvents),
    )
    const fine = new Set<string>()
    return events.filter((event) => {
      if (!event.authEvents.every((id) => stored.has(id) || fine.has(id))) return false
      fine.add(event.id)
      return true
    })
  }

  /** Undefined when the process ends meanwhile. */
  async function fetchAndApply(
    room: RoomSnapshot,
    origin: string,
    staged: readonly Staged[],
  ): Promise<Applied[] | undefined> {
    const rowOf = new Map(staged.map(({ event, row }) => [event.id, row]))
    const filled = await gapFill.fill(
      room,
      staged.map(({ event }) => event),
      origin,
      {
        signal,
        avoid: (id) => settling.isBroken(id),
        orPart: staged.some(({ row }) => row.attempts >= WHOLE_ATTEMPTS),
        // Who pushes an event has what it stands on, and mostly gives it at the second asking. Until then nobody is taken at their word for the whole state.
        waits: (id) => rowOf.get(id)?.attempts === 0,
      },
    )
    if (signal.aborted) return undefined
    const { local } = await context.rosters.of(room.nid)
    /** Who is thrown out is answered by nobody any more: what lies before that cannot be had, and the state that is here must do. */
    const lastResort = (event: RoomEvent): NodeName | undefined =>
      (rowOf.get(event.id)?.attempts ?? 0) >= REMOVAL_ATTEMPTS && removesLast(event, local)
        ? room.root
        : undefined
    const results: Applied[] = []
    const applicable = await withKnownAuth(filled.events)
    for (let i = 0; i < applicable.length; i += APPLIED_AT_ONCE) {
      const items = applicable.slice(i, i + APPLIED_AT_ONCE).map((event) => ({
        event,
        origin,
        stagedNid: rowOf.get(event.id)?.nid,
        peerState: filled.stateBefore.get(event.id) ?? lastResort(event),
        isPast: filled.past.has(event.id),
      }))
      results.push(...(await applyEvents(context, room.roomId, items)))
    }
    return results
  }

  /** The first failure may be the fault of one event, and holds up no other. */
  function coolDown(place: string, failures: number): void {
    const bounds = { initialMs: retry.initialMs, maxMs: Math.min(LONGEST_PAUSE, retry.maxMs) }
    const pause = backoffDelay(bounds, failures - 1, random)
    cooling.set(place, { until: clock.monotonic() + pause, failures })
  }

  return async (roomId, nids, onApplied) => {
    const room = await loadResident(context, roomId)
    if (room === undefined) return
    const found = await verified(room, nids)
    if (found === undefined) return
    const { origin, staged } = found
    const { waiting, lacking } = await sortOut(context, room, staged)
    if (waiting.length === 0 && lacking.size === 0) {
      await finish(await applyEvents(context, roomId, staged.map(toApply)), staged)
      return
    }
    const place = `${roomId} ${origin}`
    const rest = cooling.get(place)
    if (rest !== undefined && rest.until > clock.monotonic()) {
      return postpone(waiting, rest.until - clock.monotonic())
    }
    const results = await fetchAndApply(room, origin, staged)
    if (results === undefined) return
    await finish(results, staged)
    await onApplied(results)
    const tried = new Set(results.map(({ item }) => item.event.id))
    const untried = staged.filter(({ event }) => !tried.has(event.id))
    await fail(
      untried.map(({ row }) => row),
      new Error('its auth events cannot be had'),
    )
    if (untried.length === 0 && results.every(({ ok }) => ok)) cooling.delete(place)
    else coolDown(place, (rest?.failures ?? 0) + 1)
  }
}
