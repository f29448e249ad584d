import { canonicalMode } from '../../../core/event/hash.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { canonicalJson } from '../../../core/json/canonical.js'
import { parseJson } from '../../../core/json/parse.js'
import type { Json } from '../../../core/json/value.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import type { StagedRow } from '../../../storage/tables/staging.js'
import type { RoomsContext } from '../../rooms/context.js'
import { reviveEvent } from '../../../core/event/revive.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import type { ToApply } from '../history/apply-events.js'
import { causalOrder } from '../history/causal-order.js'
import { isPlaced } from '../history/gap-fill.js'
import { storedByIds } from '../history/missing-auth.js'
import type { PduIntake } from '../peers/pdu-intake.js'

/** A staged row with its event. */
export interface Staged {
  readonly row: StagedRow
  readonly event: RoomEvent
}

export const toApply = ({ event, row }: Staged): ToApply => ({
  event,
  origin: row.origin,
  stagedNid: row.nid,
  peerState: undefined,
})

export function reviveStaged(
  rows: readonly StagedRow[],
  rules: RoomVersionRules,
): { readonly events: Staged[]; readonly damaged: StagedRow[] } {
  const events: Staged[] = []
  const damaged: StagedRow[] = []
  for (const row of rows) {
    try {
      events.push({ row, event: reviveEvent(row.json, row.event_id, row.room_id, rules) })
    } catch {
      damaged.push(row)
    }
  }
  return { events, damaged }
}

export interface Sorted {
  /** Can be applied now, in this order. */
  readonly ready: readonly Staged[]
  /** Have their place already. */
  readonly known: readonly Staged[]
  readonly waiting: readonly Staged[]
  /** Ids of what the waiting ones refer to and what is not here. */
  readonly lacking: ReadonlySet<string>
}

/** Which of the events can be applied now: verified, and all that they refer to here or among the ready ones. */
export async function sortOut(
  context: Pick<RoomsContext, 'events'>,
  room: RoomSnapshot,
  staged: readonly Staged[],
): Promise<Sorted> {
  const stored = await storedByIds(
    context,
    staged.flatMap(({ event }) => [event.id, ...event.prevEvents, ...event.authEvents]),
  )
  const byId = new Map(staged.map((item) => [item.event.id, item]))
  const ready = new Map<string, Staged>()
  const known: Staged[] = []
  const waiting: Staged[] = []
  const lacking = new Set<string>()
  const order = causalOrder(staged.map(({ event }) => event))
  for (const { id } of order) {
    const item = byId.get(id)!
    if (stored.get(id)?.outlier === false) {
      known.push(item)
      continue
    }
    const absent = [
      ...item.event.prevEvents.filter((prev) => !ready.has(prev) && !isPlaced(room, stored.get(prev))),
      ...item.event.authEvents.filter((auth) => !ready.has(auth) && !stored.has(auth)),
    ]
    if (item.row.verified === 1 && absent.length === 0) ready.set(id, item)
    else waiting.push(item)
    for (const one of absent) if (!byId.has(one)) lacking.add(one)
  }
  const ordered = new Set(order.map(({ id }) => id))
  // What depends on itself has no order, and finally no place.
  waiting.push(...staged.filter(({ event }) => !ordered.has(event.id)))
  return { ready: [...ready.values()], known, waiting, lacking }
}

export interface Verified {
  readonly events: readonly Staged[]
  /** Of these, the ones whose signatures were checked just now, with their text. */
  readonly fresh: readonly { readonly row: StagedRow; readonly json: string }[]
  readonly refused: readonly StagedRow[]
  /** Whose keys still cannot be had. */
  readonly unsure: readonly StagedRow[]
}

/** Checks the signatures that could not be checked when the rows were staged; keys are fetched. */
export async function verifyStaged(
  intake: PduIntake,
  room: RoomSnapshot,
  rows: readonly StagedRow[],
): Promise<Verified> {
  const { events, damaged } = reviveStaged(
    rows.filter((row) => row.verified === 1),
    room.rules,
  )
  const fresh: { row: StagedRow; json: string }[] = []
  const refused = [...damaged]
  const unsure: StagedRow[] = []
  const open = rows.filter((row) => row.verified !== 1)
  if (open.length > 0) {
    const texts = open.map((row): Json => {
      const parsed = parseJson(row.json)
      return parsed.ok ? parsed.value : null
    })
    const results = await intake(texts, room.rules, room.roomId, { origin: open[0]!.origin })
    for (const [i, result] of results.entries()) {
      const row = open[i]!
      if (result.ok) {
        const json = canonicalJson(result.event.pdu, canonicalMode(room.rules))
        fresh.push({ row, json })
        events.push({ row: { ...row, verified: 1 }, event: result.event })
      } else if (result.unverified !== undefined) unsure.push(row)
      else refused.push(row)
    }
  }
  return { events, fresh, refused, unsure }
}
