import { deleteGlobalAccountData, globalTypesOf } from '../../storage/tables/account-data.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Tx } from '../../storage/tx.js'

/** The types under which a user keeps whether a device is silent: as proposed, and as accepted. */
const PREFIXES = ['org.matrix.msc3890.local_notification_settings.', 'm.local_notification_settings.']

/**
 * Part of the transaction that deletes devices: what the user has set for them goes too, and the other devices learn of it.
 * NOTSPEC: MSC3890.
 */
export function* deleteLocalNotifications(userId: string, deviceIds: readonly string[]): Tx<void> {
  const types = PREFIXES.flatMap((prefix) => deviceIds.map((deviceId) => prefix + deviceId))
  const present = yield* globalTypesOf(userId, types)
  if (present.length > 0) yield* deleteGlobalAccountData(userId, present, yield* allocatePosition())
}
