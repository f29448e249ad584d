import { Type } from 'typebox'
import { duration, integer, size } from '../fields.js'

export const limits = {
  limits: Type.Object(
    {
      max_sync_timeout: duration('The longest that `/sync` waits, whatever a client asks for.', '90s'),
      concurrent_syncs: integer(
        'Answers to `/sync` that are computed at the same time; the others wait.',
        16,
        1,
        1_000,
      ),
      staged_bytes_per_server: size('Events of one other server that may wait to be processed.', '64M'),
      staged_bytes_per_room: size('Events of one room that may wait to be processed.', '32M'),
    },
    { description: 'Bounds of the work that others can cause.', default: {} },
  ),
} as const
