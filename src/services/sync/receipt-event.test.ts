import { describe, expect, it } from '@jest/globals'
import { receiptEvent } from './receipt-event.js'

const row = (thread: string, pos: number) => ({
  room_nid: 1,
  user_id: '@alice:ours.example',
  receipt_type: 'm.read',
  thread,
  event_id: '$event',
  event_pos: 1,
  ts: pos,
  pos,
})

const told = (...rows: readonly ReturnType<typeof row>[]): unknown =>
  receiptEvent(rows, '@bob:ours.example')?.['content']
const holding = (receipt: object): unknown => ({
  $event: { 'm.read': { '@alice:ours.example': receipt } },
})

describe('receipts of one user for one event', () => {
  it('are told by that of no thread, whichever came first', () => {
    expect(told(row('', 1), row('$root', 2))).toEqual(holding({ ts: 1 }))
    expect(told(row('$root', 1), row('', 2))).toEqual(holding({ ts: 2 }))
  })

  it('are told by the latest where all are of threads', () => {
    expect(told(row('main', 1), row('$root', 2))).toEqual(holding({ ts: 2, thread_id: '$root' }))
  })
})
