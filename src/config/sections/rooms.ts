import { Type } from 'typebox'
import { flag, list, text } from '../fields.js'

export const rooms = {
  rooms: Type.Object(
    {
      default_room_version: text('Version of new rooms.', '12', { format: 'room-version' }),
    },
    { description: 'Rooms.', default: {} },
  ),
  presence: Type.Object(
    {
      enabled: flag('Show who is online, to those who share a room with them.', false),
      federation: flag(
        'Tell other servers who is online, and listen to them; many messages between large servers.',
        false,
      ),
    },
    { description: 'Presence.', default: {} },
  ),
  appservices: list(
    'Registration files (YAML) of application services: bridges and bots. See docs/operations.md.',
    Type.String({ format: 'path' }),
    [],
  ),
} as const
