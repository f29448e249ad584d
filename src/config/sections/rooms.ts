import { Type } from 'typebox'
import { duration, flag, integer, list, text } from '../fields.js'

export const rooms = {
  rooms: Type.Object(
    {
      default_room_version: text('Version of new rooms.', '12', { format: 'room-version' }),
    },
    { description: 'Rooms.', default: {} },
  ),
  delayed_events: Type.Object(
    {
      max_delay: duration('The longest that an event may be held back.', '24h'),
      max_scheduled: integer(
        'Events of one user that may wait; `0`: nobody may send events later.',
        100,
        0,
        1_000,
      ),
    },
    {
      description:
        'Events that clients want to be sent later, such as the end of a call for whom its server has lost (MSC4140).',
      default: {},
    },
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
