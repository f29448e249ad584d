import { Type } from 'typebox'
import { duration, flag } from '../fields.js'

const never = (description: string) =>
  Type.Union([Type.Null(), Type.Number({ format: 'duration' })], { description, default: null })

const kind = (description: string) =>
  Type.Object(
    {
      least: duration('A room that asks for less gets this.', '0s'),
      most: never('A room that asks for more gets this, and nobody here may ask for it; `null`: no bound.'),
      usual: never('A room that asks for nothing gets this; `null`: `most`.'),
    },
    { description, default: {} },
  )

export const retention = {
  retention: Type.Object(
    {
      enabled: flag(
        'Delete what is said when its time is over: that which the room asks for (`m.room.retention`), within the bounds of its kind (docs/ministries.md).',
        false,
      ),
      set_at_creation: flag(
        'Tell rooms that are made here how long what is said in them lives, so that clients show it.',
        true,
      ),
      public_rooms: kind('Rooms that everybody may enter.'),
      private_rooms: kind('All others.'),
      direct_rooms: kind('Rooms for two people by their access rules.'),
      media: never(
        'Files that were uploaded here before so long are deleted, but for pictures of people and rooms; not shorter than messages live. `null`: never.',
      ),
      interval: duration('How often it is looked for what is too old.', '1h'),
    },
    { description: 'How long what is said is kept.', default: {} },
  ),
} as const
