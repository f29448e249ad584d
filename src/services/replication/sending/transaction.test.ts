import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson } from '../../../core/json/canonical.js'
import { parseJson } from '../../../core/json/parse.js'
import type { Json, JsonObject } from '../../../core/json/value.js'
import { transactionText } from './transaction.js'

const object = fc.object({ values: [fc.string({ unit: 'grapheme' }), fc.maxSafeInteger(), fc.boolean()] })

describe('the text of a transaction', () => {
  it('is the canonical form of what the specification asks for', () => {
    fc.assert(
      fc.property(fc.array(object), fc.array(object), fc.array(object), (pdus, edus, ephemeral) => {
        const text = transactionText(
          'a.example',
          1_700_000_000_000,
          {
            pdus: pdus.map((pdu, i) => ({ event_nid: i, json: canonicalJson(pdu as JsonObject) })),
            edus: edus.map((content, i) => ({ nid: i, edu_type: 'm.x', content: JSON.stringify(content) })),
          },
          ephemeral.map((content) => ({ edu_type: 'm.y', content: content as JsonObject })),
        )
        const whole: Json = {
          origin: 'a.example',
          origin_server_ts: 1_700_000_000_000,
          pdus: pdus as Json[],
          edus: [
            ...edus.map((content) => ({ edu_type: 'm.x', content: content as JsonObject })),
            ...ephemeral.map((content) => ({ edu_type: 'm.y', content: content as JsonObject })),
          ],
        }
        expect(text).toBe(canonicalJson(whole))
      }),
      { numRuns: 100 },
    )
  })

  it('keeps the numbers of old room versions as they were signed', () => {
    const json = '{"content":{"a":1.0,"b":1e+20},"depth":1}'
    const text = transactionText('a.example', 1, { pdus: [{ event_nid: 1, json }], edus: [] }, [])
    expect(text).toContain(json)
    const parsed = parseJson(text)
    expect(parsed.ok && canonicalJson(parsed.value, 'lenient')).toBe(text)
  })
})
