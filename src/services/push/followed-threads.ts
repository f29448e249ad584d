import { followersOfThread, threadsFollowedIn } from '../../storage/tables/thread-subscriptions.js'
import type { Store } from '../../storage/tx.js'

/**
 * Whether somebody follows the thread of an event, as push rules ask; undefined where the event is in none, or where the rules do not ask
 * for it. NOTSPEC: MSC4306.
 */
export type Follows = (userId: string) => boolean | undefined

const NO_THREAD: Follows = () => undefined

/** Of everybody, for one thread: its root, or the empty string for none. */
export async function followersOf(
  store: Store,
  pushRules: { readonly threads: boolean },
  roomId: string,
  thread: string,
): Promise<Follows> {
  if (!pushRules.threads || thread === '') return NO_THREAD
  const followers = new Set(await store.read('push.followers', () => followersOfThread(roomId, thread)))
  return (userId) => followers.has(userId)
}

/** Of one user, for all threads of a room. */
export async function followedBy(
  store: Store,
  pushRules: { readonly threads: boolean },
  roomId: string,
  userId: string,
): Promise<(thread: string) => boolean | undefined> {
  if (!pushRules.threads) return () => undefined
  const followed = new Set(await store.read('push.followed', () => threadsFollowedIn(userId, roomId)))
  return (thread) => (thread === '' ? undefined : followed.has(thread))
}
