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
  access_rules: Type.Object(
    {
      enforced: flag(
        'Hold every room to its access rules (im.vector.room.access_rules): restricted to the circle, open to external accounts, or direct. All servers of a circle must do so.',
        false,
      ),
      external_servers: list(
        'Names of the servers whose accounts are external: they enter only the rooms that are open to them, by invite, without power, and create none.',
        Type.String({ format: 'server-name' }),
        [],
      ),
      bypass: list(
        'Ids of users to whom no access rule applies. The list must be the same on all servers of the circle.',
        Type.String({ format: 'user-id' }),
        [],
      ),
      last_administrator: Type.Union(
        [Type.Literal('allow'), Type.Literal('refuse'), Type.Literal('hand-over')],
        {
          description:
            'What becomes of a room whose last administrator leaves it, access rules or not. `allow`: nothing. `refuse`: they stay until somebody else has the power. `hand-over`: those get it who have the most, else those who have been there longest. An account that is deactivated always hands over, unless it is `allow`.',
          default: 'allow',
        },
      ),
    },
    { description: 'Whom rooms are for, in a closed circle of servers.', default: {} },
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
