import { MatrixError, invalidParam, notFound } from '../../core/errors.js'
import { isRoomAlias } from '../../core/ids/room-alias.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isServerName } from '../../core/ids/server-name.js'
import type { JsonObject } from '../../core/json/value.js'
import { startDeadline } from '../../platform/deadline.js'
import type { Requester } from '../requester.js'
import type { Aliases } from '../rooms/aliases.js'
import { NO_STANDINGS, readStandings, userMaySee } from './access.js'
import { foundAtPeer, localRoom, serversFor, type LookupDeps } from './room-lookup.js'

export interface RoomSummaries {
  /**
   * One room, by id or alias, as those see it who might join. Somebody without a log-in sees what anybody may see, and has no
   * other server asked. Throws M_NOT_FOUND for a room that is not there and for one that the user may not see; M_INVALID_PARAM.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias
   */
  of(
    requester: Requester | undefined,
    target: { readonly room: string; readonly via: readonly string[]; readonly signal: AbortSignal },
  ): Promise<JsonObject>
}

const TIME = 20_000

export function createRoomSummaries(
  deps: LookupDeps & { readonly aliases: Pick<Aliases, 'resolve' | 'resolveLocal'> },
): RoomSummaries {
  const { context, aliases } = deps

  async function resolve(
    room: string,
    isKnown: boolean,
  ): Promise<{ readonly roomId: string; readonly servers: readonly string[] }> {
    if (isRoomId(room)) return { roomId: room, servers: [] }
    if (!isRoomAlias(room)) throw invalidParam('Neither a room id nor an alias')
    try {
      const found = isKnown ? await aliases.resolve(room) : await aliases.resolveLocal(room)
      return { roomId: found.room_id, servers: found.servers }
    } catch (error) {
      // A refusal for another reason would tell that there is something.
      throw error instanceof MatrixError ? unknown() : error
    }
  }

  return {
    async of(requester, { room, via, signal }) {
      const { roomId, servers } = await resolve(room, requester !== undefined)
      const standings =
        requester === undefined ? NO_STANDINGS : await readStandings(context, requester.userId)
      let found = await localRoom(deps, roomId)
      if (found === undefined && requester !== undefined) {
        const named = [...via.filter(isServerName), ...servers]
        const deadline = startDeadline(TIME, signal)
        try {
          const peer = await deps.peers.of(roomId, serversFor(roomId, named, standings), deadline.signal)
          found = peer === undefined ? undefined : foundAtPeer(peer)
        } finally {
          deadline.end()
        }
      }
      if (found === undefined || !userMaySee(found.facts, standings)) throw unknown()
      const membership =
        requester === undefined ? {} : { membership: standings.get(roomId)?.membership ?? 'leave' }
      return { ...found.entry, ...membership }
    },
  }
}

const unknown = (): MatrixError => notFound('The room was not found')
