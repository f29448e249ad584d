import { forgetUnread, markThreadRead, raiseUnread } from '../../storage/tables/unread.js'
import type { Tx } from '../../storage/tx.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { memberChanges, type Pending, type UnreadRise } from './working-room.js'

interface MergedRise {
  readonly thread: string
  readonly users: readonly string[]
  notify: number
  highlight: number
}

interface MergedEffects {
  /** Thread → local users who spoke in it. */
  readonly read: ReadonlyMap<string, ReadonlySet<string>>
  readonly rises: readonly MergedRise[]
}

/**
 * What a batch does to the counts, in few statements: first those who spoke have read everything before; of the batch
 * itself each user is counted what came after they last spoke. Rises for the same users and thread are one.
 */
function merged(effects: readonly UnreadRise[]): MergedEffects {
  const read = new Map<string, Set<string>>()
  const rises = new Map<string, MergedRise>()
  for (const { thread, users: all, effect } of effects.toReversed()) {
    const spoke = read.get(thread)
    if (effect === 'read') {
      read.set(thread, new Set([...(spoke ?? []), ...all]))
      continue
    }
    const users = spoke === undefined ? all : all.filter((user) => !spoke.has(user))
    if (users.length === 0) continue
    const highlight = effect === 'highlight' ? 1 : 0
    const key = JSON.stringify([thread, users])
    const known = rises.get(key)
    if (known === undefined) {
      rises.set(key, { thread, users, notify: 1, highlight })
    } else {
      known.notify++
      known.highlight += highlight
    }
  }
  return { read, rises: [...rises.values()] }
}

/**
 * Writes what a batch of events does to the counts of local users.
 * Post: those who were told of an event count it, who spoke or left has nothing unread.
 */
export function* writeUnread(roomNid: number, pending: readonly Pending[], serverName: string): Tx<void> {
  const { read, rises } = merged(pending.flatMap((item) => item.unread))
  for (const [thread, users] of read) yield* markThreadRead(roomNid, thread, [...users])
  for (const { thread, users, notify, highlight } of rises) {
    yield* raiseUnread(roomNid, thread, users, notify, highlight)
  }
  const gone = pending
    .flatMap((item) => memberChanges(item.stateChanges))
    .filter(({ before, after, userId }) => {
      return before === 'join' && after !== 'join' && serverNameOf(userId) === serverName
    })
  if (gone.length > 0) {
    yield* forgetUnread(
      roomNid,
      gone.map((change) => change.userId),
    )
  }
}
