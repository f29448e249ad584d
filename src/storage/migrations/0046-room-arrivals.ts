import type { Migration } from '../migrate.js'

export const roomArrivals: Migration = {
  id: 46,
  name: 'room-arrivals',
  sql: `
-- Depth of the event with which this server came into the room last, or of the room's first one where it was made here. What is less deep is
-- history and no news. NULL in rooms that this server came into before this column was there, and in those that it knows from outside.
ALTER TABLE rooms ADD COLUMN arrival_depth INTEGER;
`,
}
