import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { openTestStore } from '../testing.js'
import { all, many, run, type Store } from '../tx.js'
import { markRemoteListStale, remoteDeviceLists, saveRemoteList } from './device-keys.js'
import { lastDeviceListChange } from './device-list-changes.js'
import { isCopy, lostRanges, resumeFromCopy } from './lost-positions.js'
import { allocatePosition } from './positions.js'

const NOW = 1_800_000_000_000
const BOB = '@bob:other.example'
const ANNE = '@anne:ministry.example'

describe('a database that goes on from a copy', () => {
  let store: Store
  beforeEach(async () => {
    store = await openTestStore()
    await store.write('test.seed', function* () {
      yield* many('INSERT INTO devices (user_id, device_id, created_ts) VALUES (?, ?, 0)', [
        [ANNE, 'PHONE'],
        [ANNE, 'LAPTOP'],
      ])
      yield* many('INSERT INTO device_list_changes (user_id, pos) VALUES (?, ?)', [
        [ANNE, 3],
        [ANNE, 5],
        [BOB, 4],
      ])
      yield* markRemoteListStale(BOB, 'other.example', 0)
      yield* saveRemoteList(BOB, '[7]', 1, NOW)
      yield* allocatePosition(100)
    })
  })
  afterEach(() => store.close())

  const resume = (now: number) => store.write('test.resume', () => resumeFromCopy(now))

  it('follows the clock, so that no two restorations of one copy meet', async () => {
    expect(await resume(NOW)).toMatchObject({ after_pos: 100, resumed_pos: NOW * 10 })
    const ranges = await store.read('test', () => lostRanges())
    expect(ranges).toEqual([{ after_pos: 100, resumed_pos: NOW * 10 }])
    const second = await resume(NOW + 60_000)
    expect(second.after_pos).toBeGreaterThan(NOW * 10)
    expect(second.resumed_pos).toBe((NOW + 60_000) * 10)
    expect(await store.read('test', () => lostRanges())).toHaveLength(2)
  })

  it('goes well ahead with a clock that stands at 1970 too', async () => {
    expect((await resume(0)).resumed_pos).toBe(1_000_000_100)
  })

  it('is recognised as a copy until it has gone on', async () => {
    expect(await store.read('test', () => isCopy())).toBe(false)
    await store.write('test', () => run('INSERT INTO lost_positions (after_pos, ts) VALUES (100, 0)'))
    expect(await store.read('test', () => isCopy())).toBe(true)
    expect(await store.read('test', () => lostRanges())).toEqual([])
    await resume(NOW)
    expect(await store.read('test', () => isCopy())).toBe(false)
    expect(await store.read('test', () => lostRanges())).toHaveLength(1)
  })

  it('fetches the device lists of other servers anew, and lets them fetch ours', async () => {
    expect((await resume(NOW)).remoteLists).toBe(1)
    const [list] = await store.read('test', () => remoteDeviceLists([BOB]))
    expect(list).toMatchObject({ stale: 1, retry_at: 0, recent_ids: '[7]' })
    // The next update of anne names a predecessor that no other server can know.
    expect(await store.read('test', () => lastDeviceListChange(ANNE))).toBeGreaterThan(NOW * 10)
    const rows = await store.read('test', () =>
      all('SELECT user_id FROM device_list_changes ORDER BY user_id'),
    )
    expect(rows).toEqual([{ user_id: ANNE }, { user_id: BOB }])
  })
})
