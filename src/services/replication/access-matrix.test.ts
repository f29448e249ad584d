import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../../platform/testing-until.js'
import { addLocalEvent } from '../rooms/add-local-event.js'
import {
  accessScenarios,
  ANA,
  BO,
  circlePolicy,
  EVE,
  MAL,
  type AccessScenario,
  type Entry,
  type Step,
} from './testing/access-scenarios.js'
import { addNode, createNetwork, type Network, type TestNode } from './testing/network.js'

/**
 * Each access rule at each place where events are judged. `node scripts/access-mutants.mjs` deletes them one by one, and shows that the test of
 * that rule and place fails: its name begins with both.
 */
let network: Network
let finances: TestNode
let interieur: TestNode
let rogue: TestNode
beforeEach(async () => {
  network = createNetwork()
  finances = await addNode(network, 'finances.example', { access: circlePolicy })
  interieur = await addNode(network, 'interieur.example', { access: circlePolicy })
  rogue = await addNode(network, 'rogue.example')
})
afterEach(() => network.close())

const at = (entry: Entry): AccessScenario[] =>
  accessScenarios.filter(({ entries }) => entries.includes(entry))
const named = (scenarios: readonly AccessScenario[]): [string, string, AccessScenario][] =>
  scenarios.map((scenario) => [scenario.rule, scenario.what, scenario])

async function act(node: TestNode, user: string, roomId: string, step: Step): Promise<string> {
  if (step !== 'redaction of the rules') return node.state(user, roomId, ...step)
  const redacts = (await node.stateOf(roomId)).get('im.vector.room.access_rules|')!
  const draft = { type: 'm.room.redaction', sender: user, content: { redacts }, redacts }
  const stored = await node.context.writer.write(roomId, (room) =>
    addLocalEvent(room, draft, node.context.local),
  )
  return stored.event.id
}

/** A room with whoever its scenario needs in it before the event is sent. `host` makes it. */
async function roomOf(scenario: AccessScenario, host: TestNode, user: string): Promise<string> {
  const roomId = await host.createRoom(user, scenario.input)
  for (const step of scenario.before ?? []) if (step[1] !== BO) await act(host, user, roomId, step)
  return roomId
}

async function join(node: TestNode, user: string, roomId: string, host: TestNode, by: string): Promise<void> {
  if (!(await host.stateOf(roomId)).has(`m.room.member|${user}`))
    await host.state(by, roomId, 'm.room.member', user, { membership: 'invite' }).catch(() => undefined)
  await node.join(user, roomId, host.name)
}

const refusedBy = (reason: string) => ({ errcode: 'M_FORBIDDEN', extra: { reason } })
const rejection = async (node: TestNode, eventId: string): Promise<string | undefined> =>
  (await node.context.events.byId(eventId))?.rejected

describe('what users of this server do', () => {
  it.each(named(at('local')))('local %s: %s is refused', async (rule, _what, scenario) => {
    const host = scenario.isOld === true ? rogue : finances
    const maker = scenario.isOld === true ? MAL : ANA
    const roomId = await roomOf(scenario, host, maker)
    if (scenario.isOld === true) {
      await join(interieur, BO, roomId, rogue, MAL)
      await join(finances, ANA, roomId, rogue, MAL)
    } else if (rule === 'access.direct.third') await act(finances, ANA, roomId, scenario.before![0]!)
    await expect(act(finances, ANA, roomId, scenario.event)).rejects.toMatchObject(refusedBy(rule))
  })

  it('local access.create.external: a room of an external person is refused', async () => {
    const partners = await addNode(network, 'partners.example', { access: circlePolicy })
    await expect(partners.createRoom(EVE, { preset: 'public_chat' })).rejects.toMatchObject(
      refusedBy('access.create.external'),
    )
  })

  it('local access.external.uninvited: a template for an external person without an invite is refused', async () => {
    const roomId = await openRoom(finances, ANA)
    const outlaw = await addNode(network, 'partners.example')
    const path = `/_matrix/federation/v1/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(EVE)}`
    await expect(
      finances.serve(outlaw.name, {
        destination: finances.name,
        method: 'GET',
        path,
        query: { ver: ['11'] },
      }),
    ).rejects.toMatchObject(refusedBy('access.external.uninvited'))
  })
})

/** A room that is open to external people, whose door is open too. */
const openRoom = (host: TestNode, user: string): Promise<string> =>
  host.createRoom(user, {
    room_version: '11',
    preset: 'public_chat',
    initial_state: [
      { type: 'im.vector.room.access_rules', content: { rule: 'unrestricted', visibility: 'private' } },
    ],
    power_level_content_override: { users: { [ANA]: 100, [MAL]: 100 }, invite: 50 },
  })

describe('what comes from a server that has forgotten the rules', () => {
  /** Refused, kept out of the state, and no burden to what is said on top of it. */
  async function isRejected(
    roomId: string,
    eventId: string,
    rule: string,
    bearsLater = false,
  ): Promise<void> {
    const message = await rogue.send(MAL, roomId, 'an innocent word')
    await until(async () => (await finances.context.events.byId(message)) !== undefined)
    expect(await rejection(finances, eventId)).toBe(rule)
    expect([...(await finances.stateOf(roomId)).values()]).not.toContain(eventId)
    expect(await rejection(finances, message)).toBe(bearsLater ? 'auth_events.rejected' : undefined)
  }

  it.each(named(at('received')))('received %s: %s is rejected', async (rule, _what, scenario) => {
    const host = scenario.isOld === true ? rogue : finances
    const roomId = await roomOf(scenario, host, scenario.isOld === true ? MAL : ANA)
    if (scenario.isOld === true) {
      await join(interieur, BO, roomId, rogue, MAL)
      await join(finances, ANA, roomId, rogue, MAL)
    } else await join(rogue, MAL, roomId, finances, ANA)
    await network.settle()
    await isRejected(roomId, await act(rogue, MAL, roomId, scenario.event), rule, scenario.bearsLater)
  })

  it('received access.external.uninvited: the join of an external person without an invite is rejected', async () => {
    const roomId = await openRoom(finances, ANA)
    await join(rogue, MAL, roomId, finances, ANA)
    const outlaw = await addNode(network, 'partners.example')
    await outlaw.join(EVE, roomId, 'rogue.example')
    const joined = (await rogue.stateOf(roomId)).get(`m.room.member|${EVE}`)!
    await isRejected(roomId, joined, 'access.external.uninvited')
  })
})

describe('the state of a room that such a server hands over', () => {
  it.each(named(at('handed-over')))('handed-over %s: %s is not taken', async (rule, _what, scenario) => {
    const roomId = await roomOf(scenario, rogue, MAL)
    await act(rogue, MAL, roomId, ['m.room.member', BO, { membership: 'invite' }])
    const refused = await act(rogue, MAL, roomId, scenario.event)
    if (scenario.closesRoom === true) {
      await expect(interieur.join(BO, roomId, 'rogue.example')).rejects.toThrow()
      return
    }
    await interieur.join(BO, roomId, 'rogue.example')
    expect(await rejection(interieur, refused)).toBe(rule)
    const state = await interieur.stateOf(roomId)
    expect([...state.values()]).not.toContain(refused)
    expect(state.has(`m.room.member|${BO}`)).toBe(true)
  })

  it('handed-over access.create.external: a room with an external fellow creator is not entered', async () => {
    const roomId = await rogue.createRoom(MAL, {
      room_version: '12',
      preset: 'public_chat',
      creation_content: { additional_creators: [EVE] },
    })
    await expect(interieur.join(BO, roomId, 'rogue.example')).rejects.toThrow()
    const harmless = await rogue.createRoom(MAL, { room_version: '12', preset: 'public_chat' })
    await interieur.join(BO, harmless, 'rogue.example')
  })

  it('handed-over access.external.uninvited: an external person who came without an invite is not taken', async () => {
    const roomId = await openRoom(rogue, MAL)
    const outlaw = await addNode(network, 'partners.example')
    await outlaw.join(EVE, roomId, 'rogue.example')
    await interieur.join(BO, roomId, 'rogue.example')
    const joined = (await rogue.stateOf(roomId)).get(`m.room.member|${EVE}`)!
    expect(await rejection(interieur, joined)).toBe('access.external.uninvited')
    expect((await interieur.stateOf(roomId)).has(`m.room.member|${EVE}`)).toBe(false)
  })
})
