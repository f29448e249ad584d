import { Type } from 'typebox'
import { duration, list } from '../fields.js'

export const moderation = {
  moderation: Type.Object(
    {
      answer_within: duration(
        'Until when a report is to be closed. What is overdue is counted in the metrics, and told.',
        '24h',
      ),
      moderators: list(
        'Users of this server who may work on reports, besides administrators.',
        Type.String({ format: 'user-id' }),
        [],
        { maxItems: 1_000 },
      ),
      notify: list(
        'Users of this server who are told of what is overdue, by a notice (`server_notices`).',
        Type.String({ format: 'user-id' }),
        [],
        { maxItems: 100 },
      ),
      policy_rooms: list(
        'Rooms whose lists of banned users, servers and rooms (`m.policy.rule.*`) this server follows at invitations, joins and knocks. Somebody of this server must be in them.',
        Type.String({ maxLength: 255 }),
        [],
        { maxItems: 50 },
      ),
    },
    {
      description: 'The desk of the moderators: what becomes of reports (docs/operations.md).',
      default: {},
    },
  ),
} as const
