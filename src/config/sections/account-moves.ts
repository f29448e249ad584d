import { Type } from 'typebox'
import { choice, duration, flag } from '../fields.js'

export const accountMoves = {
  account_moves: Type.Object(
    {
      lifetime: duration(
        'How long a move may take from its order on, and how long this node waits for one that it was told of. Not more than 31 days.',
        '14d',
      ),
      interval: duration(
        'The first wait for the other node, or for somebody to join a room; each is twice as long as the one before, up to an hour.',
        '2s',
      ),
      language: choice('In which language rooms are told that somebody has moved.', ['en', 'fr', 'de'], 'en'),
      upgrade_rooms: flag(
        'Replace rooms of version 12 that the person has made by rooms that both accounts have made. Everybody in them has to join the new ones; without it the old account stays their creator.',
        false,
      ),
    },
    {
      description:
        'People who change ministry: `chancery account move`, where there is a node list (docs/ministries.md).',
      default: {},
    },
  ),
} as const
