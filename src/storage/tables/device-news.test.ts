import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openTestStore } from '../testing.js'
import { run, type Store, type Tx } from '../tx.js'
import { deviceNews, type DeviceNews } from './device-news.js'

const USER = '@a:b'
let store: Store

const news = (from: number, to: number, toDeviceFrom = from): Promise<DeviceNews> =>
  store.read('news', () => deviceNews(USER, 'D', toDeviceFrom, from, to))

const write = (body: () => Tx<void>): Promise<void> => store.write('test', body)

describe('what is new for a device', () => {
  beforeAll(async () => {
    store = await openTestStore()
  })
  afterAll(() => store.close())

  it('is nothing in an empty store', async () => {
    expect(await news(0, 1_000)).toEqual({ to_device: 0, lists: 0, counts_pos: null })
  })

  it('is a message to this device, within its own range', async () => {
    await write(() =>
      run(
        'INSERT INTO to_device_messages (user_id, device_id, pos, ts, sender, type, content) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[USER, 'D', 10, 0, '@c:d', 't', '{}'],
      ),
    )
    expect((await news(9, 10)).to_device).toBe(1)
    expect((await news(10, 20, 9)).to_device).toBe(1)
    expect((await news(10, 20)).to_device).toBe(0)
    expect((await news(0, 9)).to_device).toBe(0)
  })

  it.each([
    ['a changed device list', 20, `INSERT INTO device_list_changes (user_id, pos) VALUES ('@c:d', 20)`],
    [
      'a signature for the user',
      30,
      `INSERT INTO user_signature_changes (user_id, target, pos) VALUES ('@a:b', '@c:d', 30)`,
    ],
    [
      'a change of anybody’s membership',
      40,
      `INSERT INTO state_deltas (pos, room_nid, type, state_key) VALUES (40, 1, 'm.room.member', '@c:d')`,
    ],
    [
      'a membership of the user without an event',
      50,
      `INSERT INTO memberships (room_nid, user_id, membership, sender, pos, server, local, forgotten)
       VALUES (1, '@a:b', 'join', '@a:b', 50, 'b', 1, 0)`,
    ],
  ])('is %s', async (_name, pos, sql) => {
    expect((await news(pos - 1, pos)).lists).toBe(0)
    await write(() => run(sql))
    expect((await news(pos - 1, pos)).lists).toBe(1)
    expect((await news(pos, pos + 1)).lists).toBe(0)
  })

  it('is not a change of other state', async () => {
    await write(() =>
      run(`INSERT INTO state_deltas (pos, room_nid, type, state_key) VALUES (60, 1, 'm.room.topic', '')`),
    )
    expect((await news(59, 60)).lists).toBe(0)
  })

  it('tells the position of its key counts', async () => {
    await write(() =>
      run('INSERT INTO key_count_changes (user_id, device_id, pos) VALUES (?, ?, 7)', USER, 'D'),
    )
    expect((await news(100, 200)).counts_pos).toBe(7)
  })
})
