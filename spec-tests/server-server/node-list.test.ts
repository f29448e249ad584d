import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, enc, eventually, inRoom, register, sendText, v3, type User } from '../harness/client.js'
import { createNodeListFile, goesBy, memberEntry, type NodeListFile } from '../harness/node-list-file.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

let list: NodeListFile
let finances: Node
let interieur: Node
let partner: Node
let alice: User
let benoit: User
let claire: User

beforeAll(async () => {
  list = await createNodeListFile(['first', 'second', 'third'], 2)
  const authority = testAuthority()
  const config = { node_list: list.nodeList }
  finances = await startNode({ authority, config })
  interieur = await startNode({ authority, config })
  partner = await startNode({ authority, config })
  alice = await register(finances.url, 'alice')
  benoit = await register(interieur.url, 'benoit')
  claire = await register(partner.url, 'claire')
})
afterAll(async () => {
  await finances?.dispose()
  await interieur?.dispose()
  await partner?.dispose()
  await list?.dispose()
})

async function metric(node: Node, name: string): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`)).text()
  const line = text.split('\n').find((found) => found.startsWith(`chancery_${name} `))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

const allGoBy = (sequence: number, ...nodes: Node[]): Promise<unknown> =>
  Promise.all(nodes.map((node) => goesBy(node.url, sequence)))

const sees = (user: User, roomId: string, eventId: string): Promise<unknown> =>
  eventually(`${user.userId} sees ${eventId}`, async () => {
    const answer = await user.call('GET', inRoom(roomId, `event/${enc(eventId)}`))
    return answer.status === 200 ? answer.body : undefined
  })

const invite = async (user: User, roomId: string, invitee: User): Promise<number> =>
  (await user.call('POST', inRoom(roomId, 'invite'), { body: { user_id: invitee.userId } })).status

describe('nodes with one list of members', () => {
  it('talk to nobody without it, to members with it, and to none who left, until they are back', async () => {
    const roomId = await createRoom(alice, { preset: 'public_chat' })
    const all = await Promise.all([finances, interieur, partner].map((node) => memberEntry(node)))
    expect(await invite(alice, roomId, benoit)).toBe(403)

    // Signed by one, where two must sign.
    await list.publish(all, { sequence: 1, by: list.signers.slice(0, 1) })
    await eventually('the list is refused', async () =>
      (await metric(finances, 'node_list_refreshes_total{outcome="unsigned"}')) > 0 ? true : undefined,
    )
    expect(await invite(alice, roomId, benoit)).toBe(403)

    await list.publish(all, { sequence: 1 })
    await allGoBy(1, finances, interieur, partner)
    expect(await invite(alice, roomId, benoit)).toBe(200)
    await benoit.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: finances.serverName })
    await claire.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: finances.serverName })
    await sees(claire, roomId, await sendText(alice, roomId, 'to all'))
    await sees(alice, roomId, await sendText(claire, roomId, 'from the partner'))

    // Before anybody logs in, their client is told where they belong.
    const whereIs = async (query: Record<string, string>): Promise<[number, unknown]> => {
      const answer = await fetch(
        `${finances.url}/_matrix/identity/api/v1/info?${new URLSearchParams(query).toString()}`,
      )
      return [answer.status, await answer.json()]
    }
    const domain = `n${interieur.serverName.split(':')[1]}.example`
    const medium = 'email'
    expect(await whereIs({ medium, address: `Benoit@${domain}` })).toEqual([
      200,
      { hs: interieur.serverName },
    ])
    expect(await whereIs({ medium, address: 'x@elsewhere.example' })).toEqual([200, {}])
    for (const address of [`x@${domain}@evil.example`, `"x@${domain}"@evil.example`, ''])
      expect(await whereIs({ medium, address })).toMatchObject([400, { errcode: 'M_INVALID_PARAM' }])
    expect(await whereIs({ medium: 'msisdn', address: '33123456789' })).toMatchObject([400, {}])

    // The partner leaves: refused both ways, and nothing of it comes through others.
    const left = await memberEntry(partner, { left_at: Date.now() - 1_000 })
    await list.publish([all[0]!, all[1]!, left], { sequence: 2 })
    await allGoBy(2, finances, interieur, partner)
    const unheard = await sendText(claire, roomId, 'is anybody there?')
    await eventually('both refuse the partner', async () =>
      (await metric(partner, 'destinations_failing')) === 2 ? true : undefined,
    )
    const elsewhere = await createRoom(alice, {})
    expect(await invite(alice, elsewhere, claire)).toBe(403)
    await sees(alice, roomId, await sendText(benoit, roomId, 'we two go on'))
    for (const user of [alice, benoit])
      expect((await user.call('GET', inRoom(roomId, `event/${enc(unheard)}`))).status).toBe(404)
    // Its people stay in the room until somebody takes them out.
    const members = await alice.ok('GET', inRoom(roomId, 'joined_members'))
    expect(Object.keys(members['joined'] as object)).toContain(claire.userId)

    // Replaying the list that had it in changes nothing.
    await list.publish(all, { sequence: 1 })
    await eventually('the older list is refused', async () =>
      (await metric(finances, 'node_list_refreshes_total{outcome="older"}')) > 0 ? true : undefined,
    )
    expect(await invite(alice, elsewhere, claire)).toBe(403)

    // It comes back, and what it had to say with it.
    await list.publish(all, { sequence: 3 })
    await allGoBy(3, finances, interieur, partner)
    await sees(alice, roomId, unheard)
    expect(await invite(alice, elsewhere, claire)).toBe(200)
  })
})
