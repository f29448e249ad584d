import { isObject, type Json } from '../../core/json/value.js'
import { createPace } from '../../platform/pace.js'
import { ownMemberEvents, type OwnMemberEvent } from '../../storage/tables/own-member-events.js'
import type { Store } from '../../storage/tx.js'
import { localUser } from './local-user.js'

/** How much a user of this server invites and joins, by which those who spam are told. Throws M_INVALID_PARAM, M_NOT_FOUND. */
export interface UserCounts {
  /** Invites that they sent at or after a moment, in milliseconds. */
  invites(userId: string, since: number): Promise<number>
  /** Rooms that they joined at or after a moment, whatever became of it. */
  joinedRooms(userId: string, since: number): Promise<number>
}

const PAGE = 500

const membershipIn = ({ json }: OwnMemberEvent): Json | undefined => {
  const content = (JSON.parse(json) as { readonly content?: Json }).content
  return content !== undefined && isObject(content) ? content['membership'] : undefined
}

export function createUserCounts(deps: { readonly store: Store; readonly serverName: string }): UserCounts {
  const { store } = deps

  async function each(userId: string, since: number, look: (event: OwnMemberEvent) => void): Promise<void> {
    await store.read('administration.known', () => localUser(userId, deps.serverName))
    const pace = createPace()
    let place = { ts: since, nid: -1 }
    for (;;) {
      const from = place
      const rows = await store.read('administration.memberEvents', () => ownMemberEvents(userId, from, PAGE))
      for (const row of rows) look(row)
      const last = rows.at(-1)
      if (rows.length < PAGE || last === undefined) return
      place = { ts: last.ts, nid: last.nid }
      await pace()
    }
  }

  return {
    async invites(userId, since) {
      let count = 0
      await each(userId, since, (event) => {
        if (event.state_key !== userId && membershipIn(event) === 'invite') count += 1
      })
      return count
    },
    async joinedRooms(userId, since) {
      const rooms = new Set<number>()
      await each(userId, since, (event) => {
        if (event.state_key === userId && membershipIn(event) === 'join') rooms.add(event.room_nid)
      })
      return rooms.size
    },
  }
}
