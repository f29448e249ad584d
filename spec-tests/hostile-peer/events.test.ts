import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { parseJson } from '../../src/core/json/parse.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { authorizationHeader } from '../../src/services/federation/x-matrix.js'
import { sendText, v3 } from '../harness/client.js'
import { enc, signedAsItIs, startWorld, type Scene, type World } from './world.js'

let world: World
let scene: Scene
beforeAll(async () => {
  world = await startWorld()
  scene = await world.scene(world.hostile)
})
afterEach(() => world.othersGoOn())
afterAll(() => world?.dispose())

/** Sends events of which none may be seen, with a good one among them, and gives the answers to the bad ones. */
async function refused(
  pdus: readonly JsonObject[],
  texts: readonly string[] = ['forged'],
): Promise<unknown[]> {
  const answer = await scene.send(pdus)
  expect(answer.status).toBe(200)
  const seen = await scene.textsAfterMarker()
  for (const text of texts) expect(seen).not.toContain(text)
  return Object.values(answer.body.pdus)
}

describe('events of a hostile peer', () => {
  it('H1: are refused whole where they are more than 50, or more than 100 ephemeral ones', async () => {
    const many = Array.from({ length: 51 }, () => scene.forge())
    const edus = Array.from({ length: 101 }, () => ({ edu_type: 'm.typing', content: {} }))
    for (const answer of [await scene.send(many), await scene.send([], edus)])
      expect([answer.status, answer.body.errcode]).toEqual([
        400,
        expect.stringMatching(/^M_(INVALID_PARAM|BAD_JSON)$/),
      ])
    expect(await scene.textsAfterMarker()).not.toContain('forged')
  })

  it('H2: do not keep 49 good ones from being shown', async () => {
    const good: JsonObject[] = []
    for (let i = 0; i < 49; i++) {
      const event = scene.forge({ content: { msgtype: 'm.text', body: `good ${i}` } })
      scene.last = { id: scene.idOf(event), depth: event['depth'] as number }
      good.push(event)
    }
    const bad = { ...scene.forge(), signatures: {} }
    const answer = await scene.send([...good.slice(0, 20), bad, ...good.slice(20)])
    expect(answer.status).toBe(200)
    const errors = Object.values<{ error?: string }>(answer.body.pdus).filter(
      ({ error }) => error !== undefined,
    )
    expect(errors).toHaveLength(1)
    const seen = await scene.textsAfterMarker()
    expect(seen.filter((text) => text.startsWith('good ')).toReversed()).toEqual(
      good.map((_, i) => `good ${i}`),
    )
  })

  const FIELDS = [
    'type', 'sender', 'room_id', 'content', 'depth', 'origin_server_ts', 'prev_events', 'auth_events', 'hashes',
  ] as const // prettier-ignore
  const WRONG = [
    null,
    true,
    -1,
    1.5,
    '',
    'x',
    [],
    [[]],
    [null],
    {},
    { __proto__: null, a: 1 },
    'x'.repeat(300),
  ]
  it.each(FIELDS)('H3: without %s, or with something else there, are dropped', async (field) => {
    const bad = WRONG.filter((value) => {
      const good: Partial<Record<string, (value: unknown) => boolean>> = {
        content: (v) => typeof v === 'object' && v !== null && !Array.isArray(v),
        // An empty list is well-formed: what is wrong with it is for the auth rules to say.
        prev_events: (v) => Array.isArray(v) && v.length === 0,
        auth_events: (v) => Array.isArray(v) && v.length === 0,
        origin_server_ts: (v) => v === -1,
        type: (v) => v === '' || v === 'x',
      }
      return good[field]?.(value) !== true
    })
    const forged = [undefined, ...bad].map((value) => {
      const pdu = scene.forge(field === 'hashes' ? {} : { [field]: value })
      if (field !== 'hashes') return pdu
      const { hashes: _hashes, ...rest } = pdu
      return (value === undefined ? rest : { ...rest, hashes: value }) as JsonObject
    })
    await refused([...forged, ...['text', 7, null, []].map((junk) => junk as unknown as JsonObject)])
  })

  it('H4: of more than 65,536 bytes are dropped', async () => {
    const large = scene.forge({ content: { msgtype: 'm.text', body: 'forged', more: 'x'.repeat(66_000) } })
    const many = scene.forge({ content: { body: 'forged', ...Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`k${i}`, i])) } }) // prettier-ignore
    await refused([large, many])
    for (const field of ['type', 'state_key', 'sender', 'room_id'])
      await refused([scene.forge({ [field]: `${field === 'sender' ? '@' : '!'}${'é'.repeat(200)}:${scene.peer.server.name}` })]) // prettier-ignore
  })

  it('H5: with too many or unusable predecessors and auth events are dropped, or wait and go', async () => {
    const unknown = (n: number): string[] =>
      Array.from({ length: n }, (_, i) => `$${`${i}`.padStart(43, 'A')}`)
    const { last, auth } = scene
    await refused([
      scene.forge({ prev_events: unknown(21) }),
      scene.forge({ prev_events: Array.from({ length: 30 }, () => last.id) }),
      scene.forge({ auth_events: unknown(11) }),
      scene.forge({ auth_events: [...auth, ...auth, ...auth, ...auth] }),
      scene.forge({ auth_events: [] }),
      scene.forge({ prev_events: [] }),
      scene.forge({ prev_events: ['', '$', 'x', `$${'A'.repeat(400)}`] }),
    ])
    // Nobody has these: the node asks, and lets others speak meanwhile.
    const answer = await scene.send([scene.forge({ prev_events: unknown(20) })])
    expect(answer.status).toBe(200)
    expect(await scene.textsAfterMarker()).not.toContain('forged')
  })

  it('H6: with signatures that do not count are dropped, and with a thousand of them besides a good one taken', async () => {
    const { name } = scene.peer.server
    const { keyId } = scene.peer.server.signer
    const good = scene.forge()
    const stolen = createSigner(generateSigningKey(systemRandom, keyId.split(':')[1]))
    const { signatures: _signatures, ...unsigned } = good
    await refused([
      unsigned,
      { ...good, signatures: null },
      { ...good, signatures: [] },
      { ...good, signatures: { [name]: null } },
      { ...good, signatures: { [name]: { [keyId]: 7 } } },
      { ...good, signatures: { [name]: { [keyId]: 'not base64!' } } },
      { ...good, signatures: { [name]: { [keyId]: 'A'.repeat(1_000) } } },
      { ...good, signatures: { [name]: { [keyId]: 'A'.repeat(86) } } },
      { ...good, signatures: { 'other.example': (good['signatures'] as JsonObject)[name]! } },
      { ...good, signatures: { [name]: { 'ed25519:absent': 'A'.repeat(86) } } },
      signedAsItIs(unsigned, scene.rules, { serverName: name, keyId, sign: stolen.sign }),
      // A user of this node, by the peer's signature; and a user of a third server.
      scene.forge({ sender: world.alice.userId }),
      scene.forge({ sender: '@eve:third.example' }),
    ])
    const junk = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`ed25519:junk${i}`, 'A'.repeat(86)]),
    )
    const event = scene.forge({ content: { msgtype: 'm.text', body: 'with junk' } })
    const own = (event['signatures'] as Record<string, JsonObject>)[name]!
    await scene.send([{ ...event, signatures: { 'x.example': junk, [name]: { ...junk, ...own } } }])
    expect(await scene.textsAfterMarker()).toContain('with junk')
  })

  it('H7: have the id that this server computes, whatever they claim', async () => {
    const original = await sendText(world.alice, scene.roomId, 'the original')
    const claiming = scene.forge({ event_id: original, content: { msgtype: 'm.text', body: 'claiming' } })
    const answer = await scene.send([claiming])
    expect(Object.keys(answer.body.pdus)).not.toContain(original)
    await scene.textsAfterMarker()
    const event = await world.alice.ok('GET', v3(`/rooms/${enc(scene.roomId)}/event/${enc(original)}`))
    expect([event.sender, event.content.body]).toEqual([world.alice.userId, 'the original'])
    const shown = await world.alice.call(
      'GET',
      v3(`/rooms/${enc(scene.roomId)}/event/${enc(scene.idOf(claiming))}`),
    )
    if (shown.status === 200) expect(shown.body.event_id).toBe(scene.idOf(claiming))
  })

  it('H8: show nothing of what they say in `unsigned`', async () => {
    const event = {
      ...scene.forge({ content: { msgtype: 'm.text', body: 'with unsigned' } }),
      unsigned: {
        age: -9e15,
        transaction_id: 'stolen',
        redacted_because: { type: 'm.room.redaction' },
        prev_content: { membership: 'ban' },
        'm.relations': { 'm.annotation': { chunk: [{ count: 9e9 }] } },
        membership: 'ban',
        evil: true,
      },
    }
    await scene.send([event])
    expect(await scene.textsAfterMarker()).toContain('with unsigned')
    const path = v3(`/rooms/${enc(scene.roomId)}/event/${enc(scene.idOf(event))}`)
    const { unsigned = {} } = await world.alice.ok('GET', path)
    for (const name of ['transaction_id', 'redacted_because', 'prev_content', 'm.relations', 'evil'])
      expect(unsigned).not.toHaveProperty([name])
    expect(unsigned.membership ?? 'join').toBe('join')
    expect(unsigned.age ?? 0).toBeGreaterThanOrEqual(0)
  })

  it('H9: with numbers that have no canonical form are dropped, and nothing is rounded', async () => {
    for (const number of ['1.5', '1e3', '-0.0', '9007199254740993', '-9223372036854775809', '1E-3']) {
      const parsed = parseJson(number)
      const value = parsed.ok ? parsed.value : undefined
      const pdu = scene.forge({ content: { msgtype: 'm.text', body: 'forged', value: 'HERE' } })
      const { signatures: _s, hashes: _h, ...fields } = pdu
      const event = signedAsItIs({ ...fields, content: { msgtype: 'm.text', body: 'forged', value: value! } }, scene.rules, scene.peer.server.signer) // prettier-ignore
      const text = JSON.stringify({ ...event, content: pdu['content'] }).replace('"HERE"', number)
      // Signed as it stands: what refuses it is the number.
      expect(await rawTransaction(text)).toBe(200)
    }
    const BAD = [
      '{"a":1,"a":2}',
      '{"a":"\\ud800"}',
      '{"a":01}',
      '{"a":NaN}',
      '{"a":1e400}',
      '['.repeat(5_000),
    ]
    for (const text of BAD) expect([text, await rawTransaction(text)]).toEqual([text, expect.any(Number)])
    expect(await scene.textsAfterMarker()).not.toContain('forged')
  })

  it('H10: that were changed after their hash was made are shown without what was changed', async () => {
    const event = scene.forge({ content: { msgtype: 'm.text', body: 'honest' } })
    const id = scene.idOf(event)
    const changed = { ...event, content: { msgtype: 'm.text', body: 'forged' } }
    expect(scene.idOf(changed)).toBe(id)
    expect((await scene.send([changed])).body.pdus).toEqual({ [id]: {} })
    expect(await scene.textsAfterMarker()).not.toContain('forged')
    const shown = await world.alice.ok('GET', v3(`/rooms/${enc(scene.roomId)}/event/${enc(id)}`))
    expect(shown.content).toEqual({})
  })
})

/** A signed transaction whose one event is this text, which need not be JSON; gives the status. */
async function rawTransaction(event: string): Promise<number> {
  const { name, signer } = scene.peer.server
  const uri = `/_matrix/federation/v1/send/raw${raw++}-${Date.now()}`
  const body = `{"origin":"${name}","origin_server_ts":1,"pdus":[${event}],"edus":[]}`
  const parsed = parseJson(body)
  const content = parsed.ok ? parsed.value : {}
  const request = { method: 'PUT', uri, origin: name, destination: world.node.serverName, content }
  const answer = await fetch(world.node.url + uri, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      authorization: authorizationHeader(request, signer) ?? 'none',
    },
    body,
  })
  const { status } = answer
  expect(parsed.ok ? [200, 400, 401] : [400]).toContain(status)
  return status
}
let raw = 0
