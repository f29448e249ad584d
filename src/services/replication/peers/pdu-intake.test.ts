import { describe, expect, it } from '@jest/globals'
import { buildEvent } from '../../../core/event/build.js'
import type { Pdu, RoomEvent } from '../../../core/event/types.js'
import type { JsonObject } from '../../../core/json/value.js'
import { roomVersion } from '../../../core/room-version/versions.js'
import { createSigner, generateSigningKey } from '../../../platform/ed25519.js'
import { silentLogger } from '../../../platform/logger.js'
import { systemRandom } from '../../../platform/random.js'
import type { SignatureVerdict } from '../../federation/keys.js'
import { accepted, createPduIntake } from './pdu-intake.js'

const rules = roomVersion('11')!
const ROOM = '!room:sante.example'
const signer = { serverName: 'sante.example', ...createSigner(generateSigningKey(systemRandom)) }

const message = (body: string, sender = '@ana:sante.example'): Pdu =>
  buildEvent(
    {
      type: 'm.room.message',
      sender,
      content: { body, msgtype: 'm.text' },
      roomId: ROOM,
      depth: 2,
      originServerTs: 1,
      prevEvents: [`$${'p'.repeat(42)}A`],
      authEvents: [`$${'a'.repeat(42)}A`],
    },
    rules,
    signer,
  ).pdu

const unknownKey: SignatureVerdict = { ok: false, reason: 'unknown-key', server: 'sante.example' }

describe('the intake of events from other servers', () => {
  it('gives a result for each, in order, and one bad event fails no other', async () => {
    const seen: string[] = []
    const intake = createPduIntake({
      logger: silentLogger,
      keys: {
        verifyEventSignatures: (events: readonly RoomEvent[]) => {
          seen.push(...events.map((event) => event.id))
          return Promise.resolve(
            events.map((event) =>
              event.content['body'] === 'forged'
                ? ({ ok: false, reason: 'bad-signature', server: 'sante.example' } as const)
                : ({ ok: true } as const),
            ),
          )
        },
      },
    })
    const elsewhere: JsonObject = { ...message('a'), room_id: '!other:sante.example' }
    const results = await intake(
      [message('one'), null, elsewhere, message('forged'), message('two')],
      rules,
      ROOM,
      { origin: 'sante.example' },
    )
    expect(results.map((result) => result.ok)).toEqual([true, false, false, false, true])
    expect(accepted(results).map((event) => event.content['body'])).toEqual(['one', 'two'])
    expect(seen).toHaveLength(3)
  })

  it('keeps the redacted form of an event whose content hash is wrong', async () => {
    const intake = createPduIntake({
      logger: silentLogger,
      keys: { verifyEventSignatures: (events) => Promise.resolve(events.map(() => ({ ok: true }))) },
    })
    const pdu = { ...message('original'), content: { body: 'altered' } }
    const [result] = await intake([pdu], rules, ROOM, { origin: 'sante.example' })
    expect(result).toMatchObject({ ok: true, event: { content: {} } })
  })

  it('fetches the key of a server once for all its events, and judges them again', async () => {
    let fetches = 0
    const intake = createPduIntake({
      logger: silentLogger,
      keys: {
        verifyEventSignatures: (events, options) => {
          if (options?.knownOnly !== true) fetches += 1
          return Promise.resolve(events.map(() => (fetches > 0 ? { ok: true } : unknownKey)))
        },
      },
    })
    const pdus = Array.from({ length: 200 }, (_, i) => message(String(i)))
    const results = await intake(pdus, rules, ROOM, { origin: 'sante.example' })
    expect(accepted(results)).toHaveLength(200)
    expect(fetches).toBe(1)
  })

  it('hands events back unverified where a key cannot be had, without waiting longer than told', async () => {
    const intake = createPduIntake({
      logger: silentLogger,
      keys: {
        verifyEventSignatures: (events, options) =>
          options?.knownOnly === true
            ? Promise.resolve(events.map(() => unknownKey))
            : new Promise<SignatureVerdict[]>(() => undefined),
      },
    })
    const [slow] = await intake([message('a')], rules, ROOM, { origin: 'x.example', keyWaitMs: 20 })
    expect(slow).toMatchObject({ ok: false, unverified: { roomId: ROOM } })
    const [staged] = await intake([message('a')], rules, ROOM, { origin: 'x.example', knownOnly: true })
    expect(staged).toMatchObject({ ok: false, unverified: { roomId: ROOM } })
  })
})
