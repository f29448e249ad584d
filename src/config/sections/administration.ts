import { Type } from 'typebox'
import { duration, flag, integer, list, secret, text } from '../fields.js'

export const administration = {
  admin_bot: Type.Object(
    {
      localpart: Type.Optional(
        text(
          'The account that administrators command, in a room that it makes and calls them into. Without it there is no bot. It needs `second_factor.secret`.',
          undefined,
          { maxLength: 200, example: 'administration' },
        ),
      ),
      display_name: text('The name that people see.', 'Administration', { maxLength: 255 }),
      room_name: text('The name of the room.', 'Administration', { maxLength: 255 }),
      people: list(
        'Those of the administrators of this server who may command it; empty: all of them.',
        Type.String({ format: 'user-id' }),
        [],
        { maxItems: 500 },
      ),
      confirm_within: duration('How long it waits for a code.', '5m'),
      passwords_shown: duration('How long a password that the server made up stands in the room.', '10m'),
    },
    {
      description: 'Commands for administrators in an ordinary client (docs/operations.md).',
      default: {},
    },
  ),
  second_factor: Type.Object(
    {
      secret: secret(
        'Seals what is kept of second factors: whoever has the database alone cannot read them. At least 32 random characters; with another one all must be given anew.',
      ),
      attempts: integer('After so many wrong codes in a row no code of an administrator is taken.', 5, 1, 20),
      guards_tools: flag(
        'Whether the endpoints of `/_synapse/admin`, and those of the specification by which accounts are locked and suspended, ask for a code too, in `X-Chancery-Code`. Tools that do not know it can only read then.',
        false,
      ),
    },
    {
      description:
        'Codes of an authenticator app by which administrators confirm what is dangerous (docs/operations.md).',
      default: {},
    },
  ),
} as const
