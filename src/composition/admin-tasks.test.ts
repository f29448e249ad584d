import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { OPERATOR } from '../core/audit/acts.js'
import { until } from '../platform/testing-until.js'
import { systemClock } from '../platform/clock.js'
import type { Requester } from '../services/requester.js'
import type { AdminTasks } from '../services/administration/tasks.js'
import { all, run } from '../storage/tx.js'
import { TEST_SERVER, testServices, type TestServices } from './testing.js'

const DAY = 86_400_000

let shift = 0
const clock = {
  ...systemClock,
  now: () => Date.now() + shift,
  monotonic: () => systemClock.monotonic() + shift,
}
let node: TestServices
let root: Requester
let ana: Requester
let ben: Requester
beforeEach(async () => {
  shift = 0
  node = await testServices({ audit: { enabled: true } }, clock)
  root = { ...(await node.user('root')), isAdmin: true }
  ana = await node.user('ana')
  ben = await node.user('ben')
})
afterEach(() => node.close())

const tasks = (): AdminTasks => node.services.administration.tasks
async function room(...others: Requester[]): Promise<string> {
  const { services } = node
  const { room_id: roomId } = await services.roomCreation.create(ana, { preset: 'public_chat' })
  for (const other of others) await services.memberships.join(other, { room: roomId, via: [] })
  return roomId
}
let txn = 0
const say = (who: Requester, roomId: string, body: string, type = 'm.room.message'): Promise<string> =>
  node.services.sending
    .message(who, { roomId, type, content: { msgtype: 'm.text', body }, txnId: `t${txn++}` })
    .then((answer) => answer.event_id)
const stored = async (eventIds: readonly string[]): Promise<readonly string[]> => {
  const rows = await node.store.read('test', () =>
    all<{ event_id: string; json: string }>(
      'SELECT event_id, json FROM events WHERE event_id IN (??)',
      eventIds,
    ),
  )
  return eventIds.map((id) => rows.find((row) => row.event_id === id)!.json)
}
const holding = async (ids: readonly string[], text: string): Promise<number> =>
  (await stored(ids)).filter((json) => json.includes(text)).length

describe('a room that is removed', () => {
  const remove = (roomId: string, purge = true, forcePurge = false): Promise<string> =>
    node.services.administration.roomRemoval.start(root.userId, roomId, { block: false, purge, forcePurge })

  it('is purged, but for what is under a legal hold, and stays a room for others', async () => {
    const roomId = await room(ben)
    const of = { ana: await say(ana, roomId, 'pomegranate'), ben: await say(ben, roomId, 'pomegranate') }
    await node.services.retention.holds.hold('user', ben.userId, 'an inquiry', OPERATOR)
    const task = await tasks().settled(await remove(roomId))
    expect(task).toMatchObject({ status: 'complete', result: { purged_events: 1 } })
    expect(await holding([of.ana], 'pomegranate')).toBe(0)
    expect(await holding([of.ben], 'pomegranate')).toBe(1)
    expect(await node.services.memberships.joinedRooms(ana.userId)).toEqual([])
    const log = JSON.stringify(await node.store.read('test', () => all('SELECT entry FROM audit_log')))
    expect(log).toContain('data.purged')
  })

  it('keeps what was said where that is not asked for', async () => {
    const roomId = await room()
    const eventId = await say(ana, roomId, 'pomegranate')
    const task = await tasks().settled(await remove(roomId, false))
    expect(task.status).toBe('complete')
    expect(task.result).not.toHaveProperty('purged_events')
    expect(await holding([eventId], 'pomegranate')).toBe(1)
  })

  it('goes on after a restart where it was, and nobody is lost', async () => {
    const roomId = await room(ben)
    const ids: string[] = []
    for (let n = 0; n < 250; n++) ids.push(await say(ana, roomId, 'pomegranate'))
    const id = await remove(roomId)
    await until(async () => (await holding(ids, 'pomegranate')) < ids.length)
    await tasks().close()
    const left = await holding(ids, 'pomegranate')
    const after = await node.restarted()
    const resumed = after.services.administration.tasks
    if (left > 0) expect((await resumed.get(id, 'shutdown_and_purge_room')).status).toBe('active')
    await resumed.resume()
    const task = await resumed.settled(id)
    expect(task).toMatchObject({ status: 'complete', result: { purged_events: 250 } })
    expect(await holding(ids, 'pomegranate')).toBe(0)
    const { shutdown_room: result } = task.result as { shutdown_room: { kicked_users: string[] } }
    expect(result.kicked_users.toSorted()).toEqual([ana.userId, ben.userId])
  })

  it('goes on from a plan: who has left already is not asked to leave again', async () => {
    const roomId = await room(ben)
    const eventId = await say(ana, roomId, 'pomegranate')
    // As a process leaves it that ended between one user and the next.
    const nid = (
      await node.store.read('test', () =>
        all<{ nid: number }>('SELECT nid FROM rooms WHERE room_id = ?', roomId),
      )
    )[0]!.nid
    await node.services.memberships.leave(ana, { roomId })
    const params = { block: false, purge: true, force_purge: false, owner: null, name: null, message: null }
    const plan = { roomNid: nid, users: [ana.userId, ben.userId], aliases: [], successor: null }
    await node.store.write('test', () =>
      run(
        `INSERT INTO admin_tasks (id, action, resource, asked_by, status, params, plan, result, created_ts, changed_ts)
         VALUES ('left', 'shutdown_and_purge_room', ?, ?, 'active', ?, ?, '{}', 0, 0)`,
        roomId,
        root.userId,
        JSON.stringify(params),
        JSON.stringify(plan),
      ),
    )
    await tasks().resume()
    const task = await tasks().settled('left')
    expect(task.status).toBe('complete')
    expect(task.result).toMatchObject({
      shutdown_room: { kicked_users: [ana.userId, ben.userId], failed_to_kick_users: [] },
    })
    expect(await holding([eventId], 'pomegranate')).toBe(0)
  })

  it('is removed once at a time', async () => {
    const roomId = await room(ben)
    const both = await Promise.allSettled([remove(roomId), remove(roomId)])
    expect(both.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(both.find((one) => one.status === 'rejected')?.reason).toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
    })
  })
})

describe('what somebody said', () => {
  const redact = async (userId: string, more: object = {}) => {
    const { userRedaction } = node.services.administration
    const id = await userRedaction.start(root.userId, userId, { rooms: [], useAdmin: false, ...more })
    await tasks().settled(id)
    return userRedaction.status(id)
  }
  const left = (ids: readonly string[]): Promise<number> => holding(ids, 'pomegranate')

  it('is taken back in every room, and what others said stays', async () => {
    const rooms = [await room(ben), await room(ben)]
    const own: string[] = []
    for (const roomId of rooms) {
      own.push(
        await say(ben, roomId, 'pomegranate'),
        await say(ben, roomId, 'pomegranate', 'org.example.other'),
      )
    }
    const other = await say(ana, rooms[0]!, 'pomegranate')
    expect(await redact(ben.userId, { reason: 'spam' })).toEqual({
      status: 'complete',
      failed_redactions: {},
      redacted: 4,
    })
    expect(await left(own)).toBe(0)
    expect(await left([other])).toBe(1)
    const page = await node.services.history.messages(ana, { roomId: rooms[0]!, dir: 'b', limit: 5 })
    expect(JSON.stringify(page['chunk'])).toContain('"reason":"spam"')
    // Once more: nothing is left to do.
    expect((await redact(ben.userId)).redacted).toBe(0)
  })

  it('is taken back in the rooms, the time and the number that are asked for, the latest first', async () => {
    const rooms = [await room(ben), await room(ben)]
    const old = await say(ben, rooms[0]!, 'pomegranate')
    shift += DAY
    const since = clock.now()
    const [first, second] = [
      await say(ben, rooms[0]!, 'pomegranate'),
      await say(ben, rooms[0]!, 'pomegranate'),
    ]
    const elsewhere = await say(ben, rooms[1]!, 'pomegranate')
    expect((await redact(ben.userId, { rooms: [rooms[0]], limit: 1 })).redacted).toBe(1)
    expect([await left([second]), await left([first])]).toEqual([0, 1])
    expect((await redact(ben.userId, { rooms: [rooms[0]], afterTs: since })).redacted).toBe(1)
    expect([await left([first]), await left([old]), await left([elsewhere])]).toEqual([0, 1, 1])
    expect((await redact(ben.userId, { beforeTs: since - 1 })).redacted).toBe(1)
    expect([await left([old]), await left([elsewhere])]).toEqual([0, 1])
  })

  it('is taken back by the administrator where they are not in the room, if that may be', async () => {
    const roomId = await room(ben)
    const eventId = await say(ben, roomId, 'pomegranate')
    await node.services.memberships.leave(ben, { roomId })
    const failed = await redact(ben.userId)
    expect(failed).toMatchObject({ status: 'complete', redacted: 0 })
    expect(Object.keys(failed.failed_redactions)).toEqual([eventId])
    expect(await left([eventId])).toBe(1)
    await node.services.memberships.join(root, { room: roomId, via: [] })
    await node.services.administration.roomPower.makeAdmin(roomId, root.userId)
    expect((await redact(ben.userId)).redacted).toBe(1)
    expect(await left([eventId])).toBe(0)
  })

  it('is not taken back where it is under a legal hold', async () => {
    const [held, free] = [await room(ben), await room(ben)]
    const ids = [await say(ben, held, 'pomegranate'), await say(ben, free, 'pomegranate')]
    await node.services.retention.holds.hold('room', held, 'an inquiry', OPERATOR)
    const status = await redact(ben.userId)
    expect(status.redacted).toBe(1)
    expect(status.failed_redactions).toEqual({ [ids[0]!]: 'It is under a legal hold' })
    expect([await left([ids[0]!]), await left([ids[1]!])]).toEqual([1, 0])
  })

  it('is somebody’s who is there', async () => {
    const start = (userId: string, rooms: string[] = []) =>
      node.services.administration.userRedaction.start(root.userId, userId, { rooms, useAdmin: false })
    await expect(start('nonsense')).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(start(`@nobody:${TEST_SERVER}`)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await expect(start(ben.userId, ['nonsense'])).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(node.services.administration.userRedaction.status('nothing')).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
  })
})

describe('the history of a room', () => {
  it('goes up to a point; of this server’s users only where that is asked for', async () => {
    const roomId = await room(ben)
    const old = [await say(ana, roomId, 'pomegranate'), await say(ben, roomId, 'pomegranate')]
    shift += DAY
    const point = await say(ana, roomId, 'pomegranate')
    const { historyPurge } = node.services.administration
    const purge = async (wish: object) => {
      const id = await historyPurge.start(root.userId, roomId, { deleteLocal: false, ...wish })
      await tasks().settled(id)
      return historyPurge.status(id)
    }
    expect(await purge({ eventId: point })).toEqual({ status: 'complete', purged_events: 0 })
    expect(await purge({ eventId: point, deleteLocal: true })).toEqual({
      status: 'complete',
      purged_events: 2,
    })
    expect([await holding(old, 'pomegranate'), await holding([point], 'pomegranate')]).toEqual([0, 1])
    expect(await purge({ beforeTs: clock.now() + DAY, deleteLocal: true })).toMatchObject({
      purged_events: 1,
    })
    const other = await room()
    await expect(purge({})).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(
      historyPurge.start(root.userId, other, { eventId: point, deleteLocal: true }),
    ).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })
})

describe('tasks', () => {
  it('of a week ago are forgotten', async () => {
    const roomId = await room()
    const { roomRemoval } = node.services.administration
    const id = await roomRemoval.start(root.userId, roomId, { block: false, purge: false })
    await tasks().settled(id)
    expect(await tasks().list({ resource: roomId })).toHaveLength(1)
    expect(await tasks().list({ status: 'failed' })).toEqual([])
    expect(await tasks().list({ before: 0 })).toEqual([])
    shift += 8 * DAY
    await tasks().prune()
    expect(await tasks().list({})).toEqual([])
    await expect(roomRemoval.status(id)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })
})
