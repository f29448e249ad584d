import { isDeviceId } from '../../core/ids/device-id.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import { isObject, type Json } from '../../core/json/value.js'
import type { DeviceMessage } from './split-edus.js'

/** Reads `messages`: user → device or `*` → content. A reason for what is malformed. */
export function readMessages(value: Json | undefined, max: number): readonly DeviceMessage[] | string {
  if (!isObject(value)) return 'messages is not an object'
  const found: DeviceMessage[] = []
  for (const userId of Object.keys(value)) {
    const devices = value[userId]
    if (parseUserId(userId) === undefined) return 'messages has a member that is not named by a user id'
    if (!isObject(devices)) return `messages for ${userId} are not an object`
    for (const deviceId of Object.keys(devices)) {
      const content = devices[deviceId]
      if (!isDeviceId(deviceId)) return `messages for ${userId} have a name that is no device id`
      if (!isObject(content)) return `a message for ${userId} is not an object`
      if (found.length >= max) return `more than ${max} messages`
      // Lenient: what is not signed by us may hold any number, as it was written.
      const json = tryCanonicalJson(content, 'lenient')
      if (!json.ok) return `a message for ${userId} cannot be stored: ${json.reason}`
      found.push({ userId, deviceId, content: json.text })
    }
  }
  return found
}
