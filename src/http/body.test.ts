import { describe, expect, it } from '@jest/globals'
import type { Json } from '../core/json/value.js'
import { decodeJson, plain } from './body.js'
import { sendMessage } from './client/room/send-message.js'
import { setRoomStateWithKey } from './client/room/set-room-state-with-key.js'

const read = (text: string): Json => decodeJson(Buffer.from(text))

describe('plain', () => {
  it.each(['5', '1.5', '-0', '1e3', 'null', '[]', '{}', '[1,[2.5,{"a":[9007199254740993]}],"x",true,null]'])(
    'gives for %s what JSON.parse gives',
    (text) => {
      expect(plain(read(text))).toEqual(JSON.parse(text))
    },
  )

  it('keeps __proto__ an own key, whatever its value', () => {
    for (const text of ['{"__proto__":1.5}', '{"__proto__":{"a":2.5}}', '{"__proto__":null,"b":0.5}']) {
      const value = plain(read(text))
      expect(JSON.stringify(value)).toBe(text)
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
  })
})

describe('the body of an event', () => {
  it.each([sendMessage, setRoomStateWithKey])(
    'may be the largest event with every character escaped thrice as long, and not a megabyte: reading that blocks',
    ({ maxBody }) => {
      expect(maxBody).toBeGreaterThanOrEqual(3 * 65_536)
      expect(maxBody).toBeLessThanOrEqual(256 * 1024)
    },
  )
})
