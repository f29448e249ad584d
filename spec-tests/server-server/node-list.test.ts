import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { authorityJson, DAY, listSigner, signedJson } from '../../src/core/node-list/testing.js'
import { NODE_LIST_TYPE } from '../../src/core/node-list/parse-node-list.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { createSigner, parseKeyFile } from '../../src/platform/ed25519.js'
import { createRoom, enc, eventually, inRoom, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const signers = [listSigner('anssi'), listSigner('dinum'), listSigner('sgdsn')]
let folder: string
let finances: Node
let interieur: Node
let partner: Node
let alice: User
let benoit: User
let claire: User

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-list-'))
  const authority = testAuthority()
  const config = {
    node_list: {
      file: join(folder, 'list.json'),
      refresh: '200ms',
      threshold: 2,
      trusted_signers: signers.map((signer) => ({
        name: signer.name,
        key_id: signer.keyId,
        public_key: signer.publicKey,
      })),
    },
  }
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
  if (folder !== undefined) await rm(folder, { recursive: true })
})

async function member(node: Node, more: JsonObject = {}): Promise<JsonObject> {
  const [key] = parseKeyFile(await readFile(join(node.folder, 'signing.key'), 'utf8'))
  const { keyId, publicKey } = createSigner(key!)
  return {
    server_name: node.serverName,
    label: node.serverName,
    role: 'agents',
    keys: [{ key_id: keyId, public_key: publicKey }],
    email: { domains: [`n${node.serverName.split(':')[1]}.example`] },
    addresses: [{ host: 'localhost', port: Number(node.serverName.split(':')[1]) }],
    ...more,
  }
}

/** Puts a list where the nodes look for it. */
async function publish(
  sequence: number,
  members: readonly JsonObject[],
  by = signers.slice(0, 2),
): Promise<void> {
  const now = Date.now()
  const list = signedJson(
    {
      type: NODE_LIST_TYPE,
      circle: 'administration.example',
      sequence,
      issued_at: now - 1_000,
      expires_at: now + 30 * DAY,
      authorities: [authorityJson(1, 2, signers)],
      members,
    },
    by,
  )
  await writeFile(join(folder, 'new.json'), JSON.stringify(list))
  await rename(join(folder, 'new.json'), join(folder, 'list.json'))
}

async function metric(node: Node, name: string): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`)).text()
  const line = text.split('\n').find((found) => found.startsWith(`chancery_${name} `))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

const goesBy = (sequence: number, ...nodes: Node[]): Promise<unknown> =>
  eventually(`the nodes go by list ${sequence}`, async () => {
    for (const node of nodes) if ((await metric(node, 'node_list_sequence')) !== sequence) return undefined
    return true
  })

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
    const all = await Promise.all([finances, interieur, partner].map((node) => member(node)))
    expect(await invite(alice, roomId, benoit)).toBe(403)

    // Signed by one, where two must sign.
    await publish(1, all, signers.slice(0, 1))
    await eventually('the list is refused', async () =>
      (await metric(finances, 'node_list_refreshes_total{outcome="unsigned"}')) > 0 ? true : undefined,
    )
    expect(await invite(alice, roomId, benoit)).toBe(403)

    await publish(1, all)
    await goesBy(1, finances, interieur, partner)
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
    const left = await member(partner, { left_at: Date.now() - 1_000 })
    await publish(2, [all[0]!, all[1]!, left])
    await goesBy(2, finances, interieur, partner)
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
    await publish(1, all)
    await eventually('the older list is refused', async () =>
      (await metric(finances, 'node_list_refreshes_total{outcome="older"}')) > 0 ? true : undefined,
    )
    expect(await invite(alice, elsewhere, claire)).toBe(403)

    // It comes back, and what it had to say with it.
    await publish(3, all)
    await goesBy(3, finances, interieur, partner)
    await sees(alice, roomId, unheard)
    expect(await invite(alice, elsewhere, claire)).toBe(200)
  })
})
