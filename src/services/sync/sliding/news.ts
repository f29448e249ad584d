import { accountDataBetween, type AccountDataRow } from '../../../storage/tables/account-data.js'
import {
  fewReceiptsBetween,
  roomsWithOwnReceipts,
  roomsWithReceipts,
} from '../../../storage/tables/receipts.js'
import type { Store } from '../../../storage/tx.js'
import type { InvitePermission } from '../../../core/invite-permission.js'
import { ignoredUsersOf } from '../../account-data/ignored-users.js'
import { noticeRoomOf } from '../../../storage/tables/notice-rooms.js'
import { invitePermissionOf } from '../../account-data/invite-permission.js'

/** What changed for a user between two positions, but for the events of rooms. */
export interface News {
  /** Account data, global and of rooms. */
  readonly data: readonly AccountDataRow[]
  /** Nids of rooms with receipts of anybody. */
  readonly receipts: ReadonlySet<number>
  /** Nids of rooms in which the user's own receipts changed: what is unread may be less. */
  readonly ownReceipts: ReadonlySet<number>
  /** Read when it is first asked for: most answers have no room and no invite to tell of. */
  wishes(): Promise<UserWishes>
}

/** Of whom a user wants to hear. */
export interface UserWishes {
  readonly ignored: ReadonlySet<string>
  readonly invites: InvitePermission
  /** Where the server itself speaks to the user: its invite is always shown. */
  readonly noticeRoom: string | undefined
}

/** More receipts than this are not gone through one by one. */
const FEW_RECEIPTS = 500

export async function readNews(store: Store, userId: string, from: number, upTo: number): Promise<News> {
  const news = await store.read('sliding.news', function* () {
    const few = from === 0 ? [] : yield* fewReceiptsBetween(from, upTo, FEW_RECEIPTS)
    return {
      data: yield* accountDataBetween(userId, from, upTo),
      receipts: new Set(few?.map((row) => row.room_nid) ?? (yield* roomsWithReceipts(userId, from, upTo))),
      ownReceipts: new Set(
        few?.flatMap((row) => (row.user_id === userId ? row.room_nid : [])) ??
          (yield* roomsWithOwnReceipts(userId, from, upTo)),
      ),
    }
  })
  let wishes: Promise<UserWishes> | undefined
  return { ...news, wishes: () => (wishes ??= readWishes(store, userId)) }
}

const readWishes = (store: Store, userId: string): Promise<UserWishes> =>
  store.read('sliding.wishes', function* () {
    return {
      ignored: yield* ignoredUsersOf(userId),
      invites: yield* invitePermissionOf(userId),
      noticeRoom: yield* noticeRoomOf(userId),
    }
  })
