import { SERVER } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import {
  isPolicyType,
  policyBook,
  readPolicyRule,
  type PolicyBook,
  type PolicyRule,
} from '../../core/policy-lists/policy-rules.js'
import type { Logger } from '../../platform/logger.js'
import type { AuditTrail } from '../audit/trail.js'
import { readWholeState, type RoomsContext } from '../rooms/context.js'
import type { RoomPolicies } from '../rooms/room-policies.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

/** Rules of all lists together; those beyond are left out, and the log says so. */
const MAX_RULES = 50_000

interface Known {
  readonly book: PolicyBook
  /** The rooms' states that it was read from. */
  readonly roots: string
}

/**
 * The lists of banned users, servers and rooms that this server follows: the state of rooms that its operator trusts, as it is at the moment of
 * each question.
 */
export function createPolicyLists(deps: {
  readonly context: Pick<RoomsContext, 'loader' | 'events' | 'states'>
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly serverName: string
  /** Room ids. */
  readonly rooms: readonly string[]
}): RoomPolicies {
  const { context, logger, audit, serverName } = deps
  let known: Known = { book: policyBook([], serverName), roots: '' }
  let reading: Promise<void> | undefined

  async function loaded(): Promise<RoomSnapshot[]> {
    const rooms: RoomSnapshot[] = []
    for (const roomId of deps.rooms) {
      const room = await context.loader.load(roomId)
      if (room?.root !== undefined) rooms.push(room)
    }
    return rooms
  }

  async function read(rooms: readonly RoomSnapshot[], roots: string): Promise<void> {
    const rules: PolicyRule[] = []
    for (const room of rooms) {
      for (const { event } of await readWholeState(context, room, room.root!)) {
        if (event.stateKey === undefined || !isPolicyType(event.type)) continue
        const rule = readPolicyRule(event.type, event.content)
        if (rule !== undefined) rules.push(rule)
      }
    }
    if (rules.length > MAX_RULES) logger.warn({ rules: rules.length }, 'policy lists have too many rules; the last are left out') // prettier-ignore
    const book = policyBook(rules.slice(0, MAX_RULES), serverName)
    if (book.size !== known.book.size)
      audit.count({ act: 'policy_list.changed', by: SERVER, details: { rules: book.size } })
    known = { book, roots }
  }

  async function present(): Promise<PolicyBook> {
    for (;;) {
      const rooms = await loaded()
      const roots = rooms.map((room) => `${room.roomId} ${room.root}`).join('\n')
      if (roots === known.roots) return known.book
      reading ??= read(rooms, roots).finally(() => (reading = undefined))
      await reading
    }
  }

  function refuse(rule: PolicyRule | undefined, on: string): void {
    if (rule === undefined) return
    audit.count({
      act: 'policy.refused',
      by: SERVER,
      on,
      outcome: 'M_FORBIDDEN',
      reason: `policy_list.${rule.kind}`,
      details: { entity: rule.entity },
    })
    const what = { user: 'The user', server: 'The server', room: 'The room' }[rule.kind]
    throw new MatrixError('M_FORBIDDEN', `${what} is on a list of those that this server has nothing to do with`, { reason: `policy_list.${rule.kind}` }, 403) // prettier-ignore
  }

  return {
    async checkUser(userId) {
      refuse((await present()).user(userId), userId)
    },
    async checkRoom(roomId) {
      refuse((await present()).room(roomId), roomId)
    },
    bansServer: (name) => name !== serverName && known.book.server(name) !== undefined,
    async refresh() {
      await present()
    },
  }
}
