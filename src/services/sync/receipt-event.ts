import type { JsonObject } from '../../core/json/value.js'
import type { ReceiptRow } from '../../storage/tables/receipts.js'

/**
 * Receipts of one room as one `m.receipt` event; private ones are left out but for those of the viewer, or of whom the function names. Undefined for none.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#mreceipt
 */
export function receiptEvent(
  rows: readonly ReceiptRow[],
  viewer: string | ((userId: string) => boolean),
): JsonObject | undefined {
  const isOwn = typeof viewer === 'string' ? (userId: string): boolean => userId === viewer : viewer
  const byEvent = new Map<string, Map<string, Map<string, JsonObject>>>()
  for (const row of rows) {
    if (row.receipt_type === 'm.read.private' && !isOwn(row.user_id)) continue
    const byType = byEvent.get(row.event_id) ?? new Map<string, Map<string, JsonObject>>()
    byEvent.set(row.event_id, byType)
    const byUser = byType.get(row.receipt_type) ?? new Map<string, JsonObject>()
    byType.set(row.receipt_type, byUser)
    // The format holds one receipt of a user for an event. That of no thread says more, so it is the one told.
    const known = byUser.get(row.user_id)
    if (row.thread !== '' && known !== undefined && !('thread_id' in known)) continue
    byUser.set(row.user_id, { ts: row.ts, ...(row.thread === '' ? {} : { thread_id: row.thread }) })
  }
  if (byEvent.size === 0) return undefined
  const content = Object.fromEntries(
    [...byEvent].map(([eventId, byType]) => [
      eventId,
      Object.fromEntries([...byType].map(([type, byUser]) => [type, Object.fromEntries(byUser)])),
    ]),
  )
  return { type: 'm.receipt', content }
}
