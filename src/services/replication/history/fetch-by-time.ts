import { startDeadline } from '../../../platform/deadline.js'
import type { RoomsContext } from '../../rooms/context.js'
import { loadResident } from '../../rooms/residence.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import type { PeerReads } from '../peers/peer-reads.js'
import type { Backfill } from './backfill.js'
import { serversToAsk } from './gap-fill.js'

export interface FetchByTime {
  /**
   * Asks servers in the room, one after the other, for the event next to a moment, and puts the first that is nearer than `known`
   * milliseconds in its place. True when one came. One at a time for each room.
   * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
   */
  fetch(
    roomId: string,
    input: { readonly ts: number; readonly dir: 'f' | 'b'; readonly known: number | undefined },
  ): Promise<boolean>
}

/** For all servers together, in milliseconds: a client waits. */
const TIMEOUT = 15_000
const MAX_SERVERS = 3

export function createFetchByTime(deps: {
  readonly context: RoomsContext
  readonly peers: Pick<PeerReads, 'eventAt'>
  readonly backfill: Pick<Backfill, 'place'>
}): FetchByTime {
  const { context, peers, backfill } = deps
  const running = new Map<string, Promise<boolean>>()

  async function attempt(
    room: RoomSnapshot,
    { ts, dir, known }: Parameters<FetchByTime['fetch']>[1],
  ): Promise<boolean> {
    const deadline = startDeadline(TIMEOUT)
    const { signal } = deadline
    try {
      const servers = await serversToAsk(context, room, [], MAX_SERVERS)
      for (const server of servers) {
        if (signal.aborted) return false
        try {
          const answer = await peers.eventAt({ server, signal }, room, ts, dir)
          const isRightSide = dir === 'f' ? answer.ts >= ts : answer.ts <= ts
          if (!isRightSide || (known !== undefined && Math.abs(answer.ts - ts) >= known)) continue
          const others = servers.filter((other) => other !== server)
          if (await backfill.place(room.roomId, answer.id, [server, ...others], signal)) return true
        } catch (error) {
          context.logger.debug(
            { err: error, server, roomId: room.roomId },
            'a server knows no event of a time',
          )
        }
      }
      return false
    } finally {
      deadline.end()
    }
  }

  return {
    async fetch(roomId, input) {
      const under = running.get(roomId)
      // What the other one brings may do for this one too; it is not asked for again at once.
      if (under !== undefined) return under
      const room = await loadResident(context, roomId)
      if (room === undefined) return false
      const job = running.get(roomId) ?? attempt(room, input)
      running.set(roomId, job)
      try {
        return await job
      } finally {
        running.delete(roomId)
      }
    },
  }
}
