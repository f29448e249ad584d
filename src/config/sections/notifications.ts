import { Type } from 'typebox'
import { duration, flag, text } from '../fields.js'

export const notifications = {
  push: Type.Object(
    {
      allow_http: flag(
        'Push gateways without TLS too, for one in your own network. Its addresses must be in `federation.allowed_ip_ranges`.',
        false,
      ),
      retry: Type.Object(
        {
          initial: duration('The pause after a gateway has failed; it doubles each time.', '2s'),
          max: duration('The longest pause.', '1h'),
        },
        { description: 'When a push gateway is asked again.', default: {} },
      ),
      give_up: duration('Notifications that a gateway does not take for so long are dropped.', '24h'),
      followed_threads: flag(
        'People are told of messages in threads that they follow, whatever they have set for the room, and of no others in threads but those that name them. It is a proposal (MSC4306); clients follow the threads in which somebody speaks or is named.',
        false,
      ),
      mail_delay: duration(
        'How long something stays unread before a mail tells of it, to those who want mail.',
        '10m',
      ),
    },
    { description: 'Notifications that reach people whose client is not open.', default: {} },
  ),
  server_notices: Type.Object(
    {
      localpart: Type.Optional(
        text(
          'The user in whose name the server speaks to its users, each in a room of their own. Without it administrators cannot send notices.',
          undefined,
          { maxLength: 200, example: 'server-notices' },
        ),
      ),
      display_name: text('The name that people see.', 'Server notices', { maxLength: 255 }),
      avatar_url: Type.Optional(
        text('Its picture, an `mxc://` address.', undefined, {
          maxLength: 1_000,
          example: 'mxc://ministry.example/picture',
        }),
      ),
      room_name: text('The name of the rooms.', 'Server notices', { maxLength: 255 }),
    },
    { description: 'What the server has to tell its users.', default: {} },
  ),
} as const
