import { invalidParam } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import { mutualRooms } from '../../storage/tables/memberships.js'
import type { Store } from '../../storage/tx.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#mutual-rooms */
export interface MutualRooms {
  /** Rooms that both have joined, by id. Throws M_INVALID_PARAM for a bad id, one's own, or a bad `from`. */
  with(
    userId: string,
    other: string,
    from: string | undefined,
  ): Promise<{ readonly joined: readonly string[]; readonly count: number; readonly next_batch?: string }>
}

const PAGE = 500

const tokenOf = (roomId: string): string => Buffer.from(roomId).toString('base64url')

/** The room after which the page begins. */
function afterOf(token: string | undefined): string {
  if (token === undefined) return ''
  const roomId = Buffer.from(token, 'base64url').toString('utf8')
  if (!isRoomId(roomId) || tokenOf(roomId) !== token) throw invalidParam('from is not a token of this server')
  return roomId
}

export function createMutualRooms(deps: { readonly store: Store }): MutualRooms {
  return {
    async with(userId, other, from) {
      if (!isUserId(other)) throw invalidParam('user_id is not a user id')
      if (other === userId) throw invalidParam('user_id is your own')
      const after = afterOf(from)
      const all = await deps.store.read('directory.mutualRooms', () => mutualRooms(userId, other))
      const rest = all.filter((roomId) => roomId > after)
      const joined = rest.slice(0, PAGE)
      return {
        joined,
        count: all.length,
        ...(rest.length > PAGE ? { next_batch: tokenOf(joined.at(-1)!) } : {}),
      }
    },
  }
}
