import { serverNameOf } from '../ids/server-name-of.js'
import type { RoomEvent } from '../event/types.js'
import type { PowerLevels } from './power-levels.js'

/**
 * Whether a redaction that was accepted into the room takes effect on the event that it names: in room versions 1 and 2
 * the auth rules have decided, later the sender needs the redact level, or the same server as the original's sender.
 * The create event cannot be redacted by a user's wish; nor anything in another room.
 * `levels` are those of the state in which the redaction was sent.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v12/#handling-redactions
 */
export function redactionApplies(redaction: RoomEvent, target: RoomEvent, levels: PowerLevels): boolean {
  // Later versions name the target in the content, where an event of any type may have such a field.
  if (redaction.type !== 'm.room.redaction') return false
  if (redaction.redacts !== target.id || redaction.roomId !== target.roomId) return false
  if (target.type === 'm.room.create') return false
  if (redaction.rules.redactionAuthRule || levels.user(redaction.sender) >= levels.redact) return true
  return serverNameOf(redaction.sender) === serverNameOf(target.sender)
}
