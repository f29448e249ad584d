import { utf8Length } from '../../core/ids/common.js'
import type { JsonObject } from '../../core/json/value.js'

/** One message to one device, its content as JSON. */
export interface DeviceMessage {
  readonly userId: string
  readonly deviceId: string
  readonly content: string
}

/** Bytes of JSON that one `m.direct_to_device` may have, its wrapping in the transaction included. */
export const MAX_EDU_BYTES = 65_536
const ENVELOPE = 256

/** Bytes that a message takes in an EDU, alone. */
const sizeOf = (message: DeviceMessage): number =>
  utf8Length(JSON.stringify(message.userId)) +
  utf8Length(JSON.stringify(message.deviceId)) +
  utf8Length(message.content) +
  8

/** What of an EDU is left for messages. */
export const roomFor = (sender: string, type: string): number =>
  MAX_EDU_BYTES - ENVELOPE - utf8Length(JSON.stringify(sender)) - utf8Length(JSON.stringify(type))

export const fitsEdu = (sender: string, type: string, message: DeviceMessage): boolean =>
  sizeOf(message) <= roomFor(sender, type)

/**
 * Packs messages to the users of one server into as few EDU contents as their size allows, in order.
 * Pre: each message fits alone. `messageId` is called once for each EDU.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#send-to-device-messaging
 */
export function splitIntoEdus(
  sender: string,
  type: string,
  messages: readonly DeviceMessage[],
  messageId: () => string,
): string[] {
  const limit = roomFor(sender, type)
  const edus: string[] = []
  let part = new Map<string, Map<string, string>>()
  let size = 0
  const flush = (): void => {
    if (part.size === 0) return
    const users = [...part].map(([userId, devices]) => {
      const inner = [...devices].map(([deviceId, content]) => `${JSON.stringify(deviceId)}:${content}`)
      return `${JSON.stringify(userId)}:{${inner.join(',')}}`
    })
    const head = JSON.stringify({ sender, type, message_id: messageId() } satisfies JsonObject)
    edus.push(`${head.slice(0, -1)},"messages":{${users.join(',')}}}`)
    part = new Map()
    size = 0
  }
  for (const message of messages) {
    const bytes = sizeOf(message)
    if (size + bytes > limit) flush()
    size += bytes
    const devices = part.get(message.userId)
    if (devices === undefined) part.set(message.userId, new Map([[message.deviceId, message.content]]))
    else devices.set(message.deviceId, message.content)
  }
  flush()
  return edus
}
