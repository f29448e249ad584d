import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, sendText, v3 } from '../harness/client.js'
import { fed } from '../harness/peer.js'
import { enc, startWorld, type Scene, type World } from './world.js'

let world: World
beforeAll(async () => {
  world = await startWorld({}, ['shut-out.example'])
})
afterEach(() => world.othersGoOn())
afterAll(() => world?.dispose())

const UNKNOWN = `$${'A'.repeat(43)}`
/** A room with the hostile peer and the honest one in it. */
async function both(body: object = {}): Promise<{ scene: Scene; honest: Scene }> {
  const scene = await world.scene(world.hostile, '11', body)
  return { scene, honest: await world.sceneIn(world.honest, scene.roomId) }
}

describe('what a hostile peer reads', () => {
  it('K1: of another room, through one that it is in, is as if it were not there', async () => {
    const scene = await world.scene(world.hostile)
    const closed = await createRoom(world.alice)
    const secret = await sendText(world.alice, closed, 'a secret')
    const room = enc(scene.roomId)
    const ask = async (id: string): Promise<unknown[]> => {
      const paths = [
        fed(`/event/${enc(id)}`),
        fed(`/state/${room}?event_id=${enc(id)}`),
        fed(`/state_ids/${room}?event_id=${enc(id)}`),
        fed(`/event_auth/${room}/${enc(id)}`),
        fed(`/backfill/${room}?v=${enc(id)}&limit=10`),
      ]
      const answers = []
      for (const path of paths) answers.push(await world.hostile.call('GET', path))
      const body = { latest_events: [id], earliest_events: [], limit: 10 }
      answers.push(await world.hostile.call('POST', fed(`/get_missing_events/${room}`), { body }))
      return answers.map((answer) => {
        const text = JSON.stringify(answer.body)
        expect(text).not.toContain('a secret')
        return [answer.status, text.replaceAll(id, 'ID').replaceAll(/"origin_server_ts":\d+/g, '')]
      })
    }
    expect(await ask(secret)).toEqual(await ask(UNKNOWN))
  })

  it('K2: from before it came is without its contents, where the room says so', async () => {
    const { alice, hostile } = world
    const roomId = await createRoom(alice, {
      preset: 'public_chat',
      room_version: '11',
      initial_state: [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
      ],
    })
    const secret = await sendText(alice, roomId, 'a secret')
    const scene = await world.sceneIn(hostile, roomId)
    const open = await sendText(alice, roomId, 'no secret')
    const room = enc(roomId)
    const answers = [
      await hostile.call('GET', fed(`/event/${enc(secret)}`)),
      await hostile.call('GET', fed(`/backfill/${room}?v=${enc(open)}&limit=100`)),
      await hostile.call('POST', fed(`/get_missing_events/${room}`), {
        body: { latest_events: [open], earliest_events: [], limit: 20 },
      }),
    ]
    for (const { body } of answers) expect(JSON.stringify(body)).not.toContain('a secret')
    expect(JSON.stringify(answers[1]!.body)).toContain('no secret')
    await scene.textsAfterMarker()
  })

  it('K3: of events that were rejected gives none, only the state before them', async () => {
    const { scene, honest } = await both()
    const rejected = scene.forge({ type: 'm.room.name', state_key: '', content: { name: 'Forged' } })
    const id = scene.idOf(rejected)
    await scene.send([rejected])
    await honest.textsAfterMarker()
    const room = enc(scene.roomId)
    expect((await world.honest.call('GET', fed(`/event/${enc(id)}`))).status).toBe(404)
    // The state before it is sound, and lets others bridge what lies behind; the event itself is not in it.
    for (const path of ['state', 'state_ids']) {
      const state = await world.honest.ok('GET', fed(`/${path}/${room}`), { query: `event_id=${enc(id)}` })
      expect(JSON.stringify(state)).not.toContain('Forged')
      expect(JSON.stringify(state)).not.toContain(id)
    }
    const next = await sendText(world.alice, scene.roomId, 'next')
    const { pdus } = await world.honest.ok('GET', fed(`/backfill/${room}`), {
      query: `v=${enc(next)}&limit=50`,
    })
    expect(JSON.stringify(pdus)).not.toContain('Forged')
    const shown = await world.alice.call('GET', v3(`/rooms/${room}/event/${enc(id)}`))
    expect(shown.status).toBe(404)
  })

  it('K5: with hostile filters and names is refused or empty, never a fault', async () => {
    const { hostile } = world
    const unchecked = { uncheckedBecause: 'what is asked is not what the specification has' }
    const bodies = [
      { filter: { generic_search_term: '%_*(a+)+$'.repeat(100) } },
      { filter: { generic_search_term: 7 } },
      { filter: [] },
      { limit: -1 },
      { limit: 9e15 },
      { since: 'x'.repeat(10_000) },
      { third_party_instance_id: '__proto__' },
    ]
    for (const body of bodies) {
      const { status } = await hostile.call('POST', fed('/publicRooms'), { body, ...unchecked })
      expect([200, 400, 403]).toContain(status)
    }
    const names = ['', '#', '#a', `#none:${world.node.serverName}`, '#a:elsewhere.example', '#\u0000:x', '@__proto__:x', `@none:${world.node.serverName}`, '#' + 'x'.repeat(5_000)] // prettier-ignore
    for (const name of names) {
      for (const query of [
        `/query/directory?room_alias=${enc(name)}`,
        `/query/profile?user_id=${enc(name)}`,
        `/user/devices/${enc(name)}`,
      ]) {
        const { status } = await hostile.call('GET', fed(query), unchecked)
        expect([query, status]).toEqual([query, expect.any(Number)])
        expect(status).toBeLessThan(500)
        if (!query.includes('devices')) expect(status).toBeGreaterThanOrEqual(400)
      }
    }
  })

  it('K6: and writes nothing in a room whose list of servers shuts it out, whatever letters the list has', async () => {
    const { alice } = world
    const hostile = world.named.get('shut-out.example')!
    const scene = await world.scene(hostile)
    const shown = await scene.textsAfterMarker()
    const room = enc(scene.roomId)
    const put = (deny: readonly string[]): Promise<unknown> =>
      alice.ok('PUT', v3(`/rooms/${room}/state/m.room.server_acl/`), { allow: ['*'], deny })
    const before = scene.last.id
    await put(['SHUT-?UT.example'])
    const eve = hostile.user()
    const body = { latest_events: [before], earliest_events: [], limit: 10 }
    const pdu = scene.forge()
    const calls: [string, string, unknown?][] = [
      ['GET', fed(`/make_join/${room}/${enc(eve)}?ver=11`)],
      ['GET', fed(`/make_leave/${room}/${enc(scene.eve)}`)],
      ['GET', fed(`/make_knock/${room}/${enc(eve)}?ver=11`)],
      ['PUT', fed(`/send_join/${room}/${enc(before)}`, 2), pdu],
      ['PUT', fed(`/send_join/${room}/${enc(before)}`, 1), pdu],
      ['PUT', fed(`/send_leave/${room}/${enc(before)}`, 2), pdu],
      ['PUT', fed(`/send_leave/${room}/${enc(before)}`, 1), pdu],
      ['PUT', fed(`/send_knock/${room}/${enc(before)}`), pdu],
      ['PUT', fed(`/invite/${room}/${enc(before)}`, 2), { event: pdu, room_version: '11', invite_room_state: [] }],
      ['PUT', fed(`/invite/${room}/${enc(before)}`, 1), pdu],
      ['GET', fed(`/state/${room}?event_id=${enc(before)}`)],
      ['GET', fed(`/state_ids/${room}?event_id=${enc(before)}`)],
      ['GET', fed(`/backfill/${room}?v=${enc(before)}&limit=10`)],
      ['GET', fed(`/event_auth/${room}/${enc(before)}`)],
      ['GET', fed(`/event/${enc(before)}`)],
      ['POST', fed(`/get_missing_events/${room}`), body],
      ['GET', fed(`/timestamp_to_event/${room}?ts=1&dir=f`)],
    ] // prettier-ignore
    for (const [method, path, content] of calls) {
      const answer = await hostile.call(method, path, {
        ...(content !== undefined && { body: content }),
        uncheckedBecause: 'what is sent is not what the specification has',
      })
      // What is malformed besides may be told first.
      const refused = path.includes('/invite/') || path.includes('/send_') ? [400, 403] : [403]
      expect([path, refused.includes(answer.status), answer.body.errcode]).toEqual([path, true, expect.any(String)]) // prettier-ignore
      if (answer.status === 403) expect(answer.body.errcode).toBe('M_FORBIDDEN')
    }
    const sent = await scene.send(
      [pdu],
      [
        { edu_type: 'm.typing', content: { room_id: scene.roomId, user_id: scene.eve, typing: true } },
        { edu_type: 'm.receipt', content: { [scene.roomId]: { 'm.read': { [scene.eve]: { data: { ts: 1 }, event_ids: [before] } } } } },
      ],
    ) // prettier-ignore
    expect(sent.body.pdus[scene.idOf(pdu)].error).toEqual(expect.any(String))
    const { rooms } = await alice.ok('GET', v3('/sync'))
    expect(JSON.stringify(rooms.join[scene.roomId].ephemeral)).not.toContain(scene.eve)
    // Taken off the list, it is heard again; what it said meanwhile was not kept.
    await put([])
    const again = await scene.textsAfterMarker()
    expect(again.slice(1)).toEqual(shown)
  })
})
