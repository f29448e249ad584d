import { Type } from 'typebox'
import { duration, flag } from '../fields.js'

export const directory = {
  directory: Type.Object(
    {
      red_list: flag(
        'Who sets the account data `im.vector.hide_profile` to `{"hide_profile": true}` is found in no directory, and their profile is told only to those who share a room with them.',
        false,
      ),
      people: Type.Union([Type.Literal('rooms'), Type.Literal('circle')], {
        description:
          'Whom a search for people finds. `rooms`: those who share a room with the searcher, and those in public rooms. `circle`: all people of this server and of the other members of the node list, each of which is asked.',
        default: 'rooms',
      }),
      rooms: Type.Union([Type.Literal('own'), Type.Literal('circle')], {
        description:
          'What the list of public rooms shows where a client names no server. `own`: the rooms of this server. `circle`: those of all members of the node list too.',
        default: 'own',
      }),
      wait: duration(
        'How long an answer waits for other members; whoever has not answered by then is left out of it.',
        '200ms',
      ),
    },
    { description: 'What people find of each other and of rooms.', default: {} },
  ),
} as const
