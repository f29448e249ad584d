import { Type } from 'typebox'
import { duration, flag, list } from '../fields.js'

export const accountValidity = {
  account_validity: Type.Object(
    {
      enabled: flag(
        'Whether accounts expire at all. Those that are there get their first day within a tenth of `period`.',
        false,
      ),
      period: duration('How long an account lasts, and a renewal.', '42d'),
      remind_before: list(
        'How long before that day a mail with a link is sent. Needs `mail` and `public_baseurl`.',
        Type.Number({ format: 'duration' }),
        ['28d', '7d', '1d'],
        { maxItems: 10 },
      ),
      deactivate_after: Type.Union([Type.Null(), Type.Number({ format: 'duration' })], {
        description: 'How long after it an account that was not renewed is closed for ever. `null`: never.',
        default: null,
      }),
      exclude: list(
        'Accounts that do not expire, by user id; `*` stands for any characters, `?` for one. Application services, guests and the sender of notices do not expire either.',
        Type.String({ maxLength: 255 }),
        [],
        { maxItems: 1_000 },
      ),
    },
    {
      description:
        'Accounts that expire unless their people renew them, by a link in a mail. Who has expired may log in, ask for the mail, and nothing else (docs/ministries.md).',
      default: {},
    },
  ),
} as const
