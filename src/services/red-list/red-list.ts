import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isObject, ownValue, type Json } from '../../core/json/value.js'
import { accountDataOfUsers } from '../../storage/tables/account-data.js'
import { sharesRoomWith, sharesRoomWithServer } from '../../storage/tables/red-list.js'
import type { Store, Tx } from '../../storage/tx.js'

/** The account data by which somebody hides; clients know it by this name. */
export const HIDE_PROFILE = 'im.vector.hide_profile'

/** Who wants to know something of somebody. Of a server's users that server alone can say who it is; one that does not say asks for any of them. */
export type Asker =
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'server'; readonly server: string; readonly userId?: string | undefined }
  | { readonly kind: 'stranger' }

/**
 * Users of this server who do not want to be found.
 * NOTSPEC: Tchap's red list.
 */
export interface RedList {
  /** Those of the users, of this server or not, who hide. Pre: at most a thousand users. */
  hiddenOf(userIds: readonly string[]): Tx<ReadonlySet<string>>
  /** Whether the asker may be told who a user is: the user does not hide, or shares a room with the asker. */
  mayKnow(userId: string, asker: Asker): Promise<boolean>
}

const hides = (content: string): boolean => {
  const value = JSON.parse(content) as Json
  return isObject(value) && ownValue(value, 'hide_profile') === true
}

export function createRedList({ store }: { readonly store: Store }): RedList {
  function* hiddenOf(userIds: readonly string[]): Tx<ReadonlySet<string>> {
    if (userIds.length === 0) return new Set()
    const rows = yield* accountDataOfUsers(userIds, [HIDE_PROFILE])
    return new Set(rows.filter((row) => hides(row.content)).map((row) => row.user_id))
  }

  function* shares(userId: string, asker: Asker): Tx<boolean> {
    if (asker.kind === 'stranger') return false
    if (asker.kind === 'user') return asker.userId === userId || (yield* sharesRoomWith(userId, asker.userId))
    const { server, userId: named } = asker
    if (named === undefined) return yield* sharesRoomWithServer(userId, server)
    return serverNameOf(named) === server && (yield* sharesRoomWith(userId, named))
  }

  return {
    hiddenOf,
    mayKnow: (userId, asker) =>
      store.read('redList.mayKnow', function* () {
        const hidden = yield* hiddenOf([userId])
        return !hidden.has(userId) || (yield* shares(userId, asker))
      }),
  }
}
