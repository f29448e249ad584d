import { Type } from 'typebox'
import { flag } from '../fields.js'

export const directory = {
  directory: Type.Object(
    {
      red_list: flag(
        'Who sets the account data `im.vector.hide_profile` to `{"hide_profile": true}` is found in no directory, and their profile is told only to those who share a room with them.',
        false,
      ),
    },
    { description: 'What people find of each other and of rooms.', default: {} },
  ),
} as const
