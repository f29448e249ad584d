import { appendTo } from '../../../../core/append-to.js'
import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import { waitingEdus, waitingPdus } from '../../../../storage/tables/outbox.js'
import { stagedCount } from '../../../../storage/tables/staging.js'
import { all } from '../../../../storage/tx.js'
import type { StoredEvent } from '../../../rooms/stored-event.js'
import type { World } from './world.js'
import type { SimNode } from './sim-node.js'
import { checkAlone } from './invariants.js'
import { contentOf, describeEvent as describe, short, viewOf, type View } from './view.js'

/** More heads than this after everybody has spoken are not followed up. */
const MAX_HEADS = 2

/** Nothing waits on a node any more. */
export async function checkIdle(node: SimNode, faults: string[]): Promise<void> {
  const waiting = await node.disk.read('sim.waiting', function* () {
    return { pdus: yield* waitingPdus(100), edus: yield* waitingEdus(100), staged: yield* stagedCount(100) }
  })
  for (const [what, count] of Object.entries(waiting)) {
    if (count > 0) faults.push(`${node.name}: ${count} ${what} wait for ever`)
  }
}

/** Each message to a device came once. */
export async function checkMail(world: World): Promise<void> {
  const came = new Map<string, number>()
  for (const node of world.nodes) {
    const rows = await node.disk.read('sim.mail', () =>
      all<{ user_id: string; content: string }>('SELECT user_id, content FROM to_device_messages'),
    )
    for (const row of rows) {
      const name = `${(JSON.parse(row.content) as { body: string }).body} to ${row.user_id}`
      came.set(name, (came.get(name) ?? 0) + 1)
    }
  }
  for (const { body, to, from } of world.mail) {
    const times = came.get(`${body} to ${to}`) ?? 0
    // What a lost disk had received or was to send may be gone; it comes twice to nobody.
    const lost = world.restored.has(from) || world.restored.has(serverNameOf(to) ?? '')
    if (times !== 1 && !(lost && times === 0)) world.faults.push(`${body} to ${to} came ${times} times`)
  }
}

/** What a node knows of a room fits together. */
function checkInside(view: View, roomId: string, faults: string[]): void {
  const at = `${view.server} in ${short(roomId)}`
  for (const [userId, is] of view.membersInState) {
    const row = view.members.get(userId)
    if (row !== is) faults.push(`${at}: ${userId} is ${is} by the state and ${row} by the table`)
  }
  for (const [userId, is] of view.members) {
    if (is === 'join' && view.membersInState.get(userId) !== 'join')
      faults.push(`${at}: ${userId} is in the room by the table alone`)
  }
  if (view.heads.length > MAX_HEADS) faults.push(`${at}: ${view.heads.length} heads`)
  for (const id of view.heads) {
    const head = view.events.get(id)
    if (head?.rejected !== undefined || head?.softFailed !== false || head.outlier)
      faults.push(`${at}: ${describe(head)} is a head`)
  }
  for (const [name, id] of view.state) {
    const stored = view.events.get(id)
    if (stored?.rejected !== undefined || `${stored?.event.type}|${stored?.event.stateKey}` !== name)
      faults.push(`${at}: the state has ${describe(stored)} as ${name}`)
  }
}

/** Events from which some others cannot be told to be missing: all that lies before the last join of a server. */
export function pastOf(
  view: View,
  ids: Iterable<string>,
  leadsOn: (stored: StoredEvent) => boolean = () => true,
): Set<string> {
  const past = new Set<string>()
  let level = [...ids]
  while (level.length > 0) {
    const next: string[] = []
    for (const id of level) {
      if (past.has(id)) continue
      past.add(id)
      const stored = view.events.get(id)
      if (stored !== undefined && leadsOn(stored)) next.push(...stored.event.prevEvents)
    }
    level = next
  }
  return past
}

const idOf = (view: View, nid: number): string | undefined =>
  [...view.events.values()].find((stored) => stored.nid === nid)?.event.id

const isInForce = (redaction: StoredEvent | undefined): boolean =>
  redaction?.outlier === false &&
  redaction.rejected === undefined &&
  !redaction.softFailed &&
  redaction.redactedBy === undefined

async function checkPair(one: View, other: View, roomId: string, faults: string[]): Promise<void> {
  const at = `${one.server} and ${other.server} in ${short(roomId)}`
  for (const name of new Set([...one.state.keys(), ...other.state.keys()])) {
    const [mine, theirs] = [one.state.get(name), other.state.get(name)]
    if (mine === theirs) continue
    const [a, b] = [one.events.get(mine ?? ''), other.events.get(theirs ?? '')]
    faults.push(`${at} differ in ${name}: ${describe(a)} and ${describe(b)}`)
  }
  if (one.heads.join() !== other.heads.join())
    faults.push(`${at}: heads ${one.heads.map(short).join()} and ${other.heads.map(short).join()}`)
  for (const [id, mine] of one.events) {
    const theirs = other.events.get(id)
    if (theirs === undefined) continue
    if (mine.rejected !== theirs.rejected) {
      faults.push(`${at}: ${describe(mine)} here, ${describe(theirs)} there`)
      continue
    }
    if (mine.outlier || theirs.outlier) continue
    if ((await one.digest(mine.stateAfter)) !== (await other.digest(theirs.stateAfter)))
      faults.push(`${at}: the states after ${describe(mine)} differ`)
    const seen = (stored: StoredEvent): boolean => stored.rejected === undefined && !stored.softFailed
    // A redaction that one of them soft-failed, which depends on when it came, has no effect there; nor has one that came redacted.
    const refused = [mine, theirs].some(({ redactedBy }, i) => {
      const by = redactedBy === undefined ? undefined : idOf([one, other][i]!, redactedBy)
      return by !== undefined && [one, other].some((view) => !isInForce(view.events.get(by)))
    })
    if (!refused && seen(mine) && seen(theirs) && contentOf(mine) !== contentOf(theirs))
      faults.push(`${at}: ${describe(mine)} is redacted on one side`)
  }
}

/** What a node must have, and lacks: events that nobody soft-failed and that do not lie before its server came. */
function checkWhole(
  views: readonly View[],
  roomId: string,
  joins: ReadonlyMap<string, readonly string[]>,
  rash: string | undefined,
  faults: string[],
): void {
  const refused = new Set<string>()
  const all = new Map<string, View>()
  for (const view of views) {
    for (const [id, stored] of view.events) {
      if (stored.outlier) continue
      if (stored.softFailed || stored.rejected !== undefined) refused.add(id)
      all.set(id, view)
    }
  }
  checkNews(views, roomId, joins, rash, faults)
  const heads = new Map(views.map((view) => [view, pastOf(view, view.heads)]))
  for (const view of views) {
    const past = new Set<string>()
    // The events before its joins, by whoever knows most of them.
    for (const other of views) for (const id of pastOf(other, joins.get(view.server) ?? [])) past.add(id)
    for (const [id, holder] of all) {
      if (refused.has(id) || past.has(id) || !heads.get(holder)!.has(id)) continue
      const own = view.events.get(id)
      if (own === undefined || own.outlier)
        faults.push(
          `${view.server} in ${short(roomId)} lacks ${describe(holder.events.get(id))}, which ${holder.server} has`,
        )
    }
  }
}

/** What lies before the coming of a server never turns up after it as something new. */
function checkNews(
  views: readonly View[],
  roomId: string,
  joins: ReadonlyMap<string, readonly string[]>,
  rash: string | undefined,
  faults: string[],
): void {
  for (const view of views) {
    // A server that came back may have the rest of its earlier time under way.
    const [join, ...others] = joins.get(view.server) ?? []
    const came = view.events.get(join ?? '')?.pos
    if (join === undefined || others.length > 0 || came === undefined) continue
    // How something is older than the join only those know who have what a rash server has said in between; what was refused nobody gives.
    const leadsOn = (stored: StoredEvent): boolean => stored.rejected === undefined
    const before = new Set(views.flatMap((other) => [...pastOf(other, [join], leadsOn)]))
    for (const id of before) {
      const stored = view.events.get(id)
      const isRash = serverNameOf(stored?.event.sender ?? '') === rash
      if (stored?.pos !== undefined && stored.pos > came && !isRash)
        faults.push(
          `${view.server} in ${short(roomId)} took ${describe(stored)} for news, which is older than its join`,
        )
    }
  }
}

/**
 * Without the servers that are in the room by nobody's state but their own: their join was allowed where it was made, and refused where it was
 * merged with what they had not seen, or went with a lost disk. TODO: whoever merges should tell them.
 */
export const amongOthers = (views: readonly View[]): View[] =>
  views.filter(
    (view) => views.length === 1 || views.some((other) => other !== view && other.servers.has(view.server)),
  )

const countOut = ({ counts }: World, by: number): void =>
  void counts.set('servers out without knowing', (counts.get('servers out without knowing') ?? 0) + by)

/** Compares what all servers of a room have. Those that are out of the room by their own state and by the others' do not count. */
export async function checkRoom(world: World, roomId: string): Promise<readonly View[]> {
  const { faults } = world
  const all: View[] = []
  for (const node of world.nodes) {
    const view = await viewOf(node, roomId)
    if (node.name !== world.rash && view?.servers.has(node.name) === true) all.push(view)
  }
  const views = amongOthers(all)
  if (views.length < all.length) countOut(world, all.length - views.length)
  const resolved = new Map<string, string>()
  for (const view of views) {
    checkInside(view, roomId, faults)
    await checkAlone(
      world.nodes.find(({ name }) => name === view.server)!,
      view,
      resolved,
      faults,
    )
  }
  for (const [i, one] of views.entries()) {
    for (const other of views.slice(i + 1)) {
      const apart = !one.servers.has(other.server) || !other.servers.has(one.server)
      if (apart) {
        faults.push(
          `${one.server} and ${other.server} in ${short(roomId)} disagree on who of them is in the room`,
        )
      } else await checkPair(one, other, roomId, faults)
    }
  }
  checkWhole(views, roomId, await entriesOf(views), world.rash, faults)
  return views
}

const isJoin = ({ event }: StoredEvent): boolean =>
  event.type === 'm.room.member' && event.content['membership'] === 'join'

/**
 * Events with which servers came into the room where they had nobody, by server. Where the answer to a join was of no use to who had asked,
 * others have the server in the room from then on, and it has the room only from its next attempt.
 */
export async function entriesOf(views: readonly View[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  for (const view of views) {
    const live = [...view.events.values()].filter(({ pos }) => pos !== undefined)
    const first = live.reduce<StoredEvent | undefined>((min, one) => (min !== undefined && min.pos! < one.pos! ? min : one), undefined) // prettier-ignore
    if (first !== undefined && isJoin(first) && serverNameOf(first.event.sender) === view.server)
      appendTo(found, view.server, first.event.id)
    // By the others' states it may never have been out: they had not heard that it left when it came back through them.
    for (const stored of live) {
      const isOwn = isJoin(stored) && serverNameOf(stored.event.sender) === view.server
      if (isOwn && stored !== first && stored.event.depth === view.arrivalDepth)
        appendTo(found, view.server, stored.event.id)
    }
  }
  for (const view of views) {
    for (const stored of view.events.values()) {
      if (!isJoin(stored)) continue
      const { event } = stored
      const server = serverNameOf(event.sender)!
      if (found.get(server)?.includes(event.id) === true) continue
      if (!(await view.isIn(server, stored.stateBefore))) appendTo(found, server, event.id)
    }
  }
  return found
}
