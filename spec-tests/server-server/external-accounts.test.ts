import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSigner, parseKeyFile } from '../../src/platform/ed25519.js'
import { authorizationHeader } from '../../src/services/federation/x-matrix.js'
import { startCircle, type Circle } from '../harness/address-circle.js'
import {
  call,
  createRoom,
  enc,
  eventually,
  inRoom,
  sendText,
  v3,
  type Answer,
  type User,
} from '../harness/client.js'
import type { Node } from '../harness/node.js'

let circle: Circle
let finances: Node
let interieur: Node
let externe: Node
let anne: User
let benoit: User

const names = { managed_accounts: { user_id: '{local}-{domain}', display_name: '{name} [{organisation}]' } }

beforeAll(async () => {
  circle = await startCircle([
    { role: 'agents', label: 'Finances', email: { domains: ['finances.example'] }, config: names },
    { role: 'agents', label: 'Interieur', email: { domains: ['interieur.example'] }, config: names },
    { role: 'external', label: 'Guests', email: { fallback: true }, config: names },
  ])
  ;[finances, interieur, externe] = circle.nodes as [Node, Node, Node]
  await circle.publish()
  anne = await circle.register(finances, 'anne.dupont@finances.example')
  benoit = await circle.register(interieur, 'benoit@interieur.example')
})
afterAll(() => circle?.dispose())

const open = { initial_state: [{ type: 'im.vector.room.access_rules', content: { rule: 'unrestricted' } }] }
const invite = (user: User, node: Node, roomId: string, address: string): Promise<Answer> =>
  user.call('POST', inRoom(roomId, 'invite'), {
    body: { id_server: node.serverName, id_access_token: 'x', medium: 'email', address },
  })
const invitedTo = (user: User, roomId: string): Promise<unknown> =>
  eventually(`${user.userId} is invited`, async () => {
    const { rooms } = await user.ok('GET', v3('/sync'), undefined, { timeout: 0 })
    return rooms?.invite?.[roomId]
  })
/** As another member is told. */
async function isInvited(address: string): Promise<boolean> {
  const [key] = parseKeyFile(await readFile(join(finances.folder, 'signing.key'), 'utf8'))
  const uri = `/_matrix/identity/api/v1/internal-info?medium=email&address=${enc(address)}`
  const request = { method: 'GET', uri, origin: finances.serverName, destination: externe.serverName }
  const authorization = authorizationHeader({ ...request, content: undefined }, createSigner(key!))!
  const { body } = await call(externe.url, 'GET', uri, { headers: { authorization } })
  return (body as { invited: boolean }).invited
}
const refused = ({ status, body }: Answer): unknown[] => [status, body.errcode, body.reason]

describe('an account', () => {
  it('is named after its address', async () => {
    expect(anne.userId).toBe(`@anne.dupont-finances.example:${finances.serverName}`)
    const { displayname } = await benoit.ok('GET', v3(`/profile/${enc(anne.userId)}`))
    expect(displayname).toBe('Anne Dupont [Finances]')
  })

  it('is not made at the server of another administration, which is named', async () => {
    const { status, body } = await circle.askToRegister(finances, 'carla@interieur.example')
    expect([status, body]).toEqual([
      403,
      expect.objectContaining({
        errcode: 'M_THREEPID_DENIED',
        reason: 'address.elsewhere',
        home: interieur.serverName,
      }),
    ])
  })
})

describe('the invite of an address', () => {
  it('reaches somebody who has an account at another server of the circle', async () => {
    const roomId = await createRoom(anne)
    expect((await invite(anne, finances, roomId, 'Benoit@interieur.example')).status).toBe(200)
    await invitedTo(benoit, roomId)
    await benoit.ok('POST', inRoom(roomId, 'join'))
    // Nobody was written to but for the registration.
    expect(await circle.mailsTo('benoit@interieur.example', 1)).toHaveLength(1)
  })

  it('waits for somebody of the circle who has no account yet', async () => {
    const roomId = await createRoom(anne)
    const address = 'david@interieur.example'
    expect((await invite(anne, finances, roomId, address)).status).toBe(200)
    const [mail] = await circle.mailsTo(address, 1)
    expect(mail!.text).toContain('Finances')
    expect(mail!.text).not.toContain(anne.userId)
    const david = await circle.register(interieur, address)
    await invitedTo(david, roomId)
    await david.ok('POST', inRoom(roomId, 'join'))
  })

  it('waits at the very server that it was sent from, too', async () => {
    const roomId = await createRoom(anne)
    expect((await invite(anne, finances, roomId, 'emil@finances.example')).status).toBe(200)
    const emil = await circle.register(finances, 'emil@finances.example')
    await invitedTo(emil, roomId)
    await emil.ok('POST', inRoom(roomId, 'join'))
  })

  it('of somebody from outside lets them make an account, and into that room alone', async () => {
    const address = 'zoe@home.example'
    const before = await circle.askToRegister(externe, address)
    // The asker is told nothing; the mailbox is.
    expect(before.status).toBe(200)
    expect((await circle.mailsTo(address, 1))[0]!.link).toBeUndefined()

    const [openRoom, closedRoom] = [await createRoom(anne, open), await createRoom(anne)]
    expect(refused(await invite(anne, finances, closedRoom, address))).toEqual([
      403,
      'M_FORBIDDEN',
      'access.external',
    ])
    expect((await invite(anne, finances, openRoom, address)).status).toBe(200)
    expect((await circle.mailsTo(address, 2))[1]!.text).toContain('Finances')
    // Once more: neither another event nor another mail.
    expect((await invite(anne, finances, openRoom, address)).status).toBe(200)

    const zoe = await circle.register(externe, address)
    expect(await circle.mailsTo(address, 3)).toHaveLength(3)
    await invitedTo(zoe, openRoom)
    await zoe.ok('POST', inRoom(openRoom, 'join'))
    const said = await sendText(anne, openRoom, 'welcome')
    await eventually('zoe reads it', async () =>
      (await zoe.call('GET', inRoom(openRoom, `event/${enc(said)}`))).status === 200 ? true : undefined,
    )
    // Everybody sees what she is, by the judgement of their own server.
    for (const user of [anne, benoit])
      expect(await user.ok('GET', v3(`/profile/${enc(zoe.userId)}`))).toMatchObject({
        'org.chancery.external': true,
      })
    const claimed = { body: { 'org.chancery.external': false } }
    const own = v3(`/profile/${enc(zoe.userId)}/org.chancery.external`)
    expect((await zoe.call('PUT', own, claimed)).status).toBe(403)
    expect(await anne.ok('GET', v3(`/profile/${enc(benoit.userId)}`))).not.toHaveProperty([
      'org.chancery.external',
    ])
    // Directories, power, rooms of her own, other rooms: nothing.
    const forum = await createRoom(anne, { preset: 'public_chat', visibility: 'public' })
    expect(await zoe.ok('POST', v3('/user_directory/search'), { search_term: 'anne' })).toEqual({
      results: [],
      limited: false,
    })
    for (const server of [finances.serverName, externe.serverName])
      expect((await zoe.ok('POST', v3('/publicRooms'), {}, { server })).chunk).toEqual([])
    const there = { via: finances.serverName }
    const uninvited = 'access.external.uninvited'
    expect((await zoe.call('POST', v3(`/join/${enc(forum)}`), { query: there, body: {} })).status).toBe(403)
    expect(refused(await zoe.call('POST', v3(`/knock/${enc(forum)}`), { query: there, body: {} }))).toEqual([
      403,
      'M_FORBIDDEN',
      uninvited,
    ])
    expect(refused(await zoe.call('POST', v3('/createRoom'), { body: {} }))).toEqual([
      403,
      'M_FORBIDDEN',
      'access.create.external',
    ])
    expect((await invite(zoe, externe, openRoom, 'anne.dupont@finances.example')).status).toBe(403)
  })

  it('that is taken back lets nobody make an account any more', async () => {
    const roomId = await createRoom(anne, open)
    const address = 'xavier@home.example'
    await invite(anne, finances, roomId, address)
    const state = (await anne.ok('GET', inRoom(roomId, 'state'))) as { type: string; state_key: string }[]
    const { state_key: token } = state.find(({ type }) => type === 'm.room.third_party_invite')!
    await anne.ok('PUT', inRoom(roomId, `state/m.room.third_party_invite/${enc(token)}`), {})
    const before = (await circle.mailsTo(address, 1)).length
    await circle.askToRegister(externe, address)
    expect((await circle.mailsTo(address, before + 1)).at(-1)!.text).toContain('was not invited')
  })

  it('that a moderator of another server takes back lets nobody make an account either', async () => {
    const roomId = await createRoom(anne, {
      ...open,
      invite: [benoit.userId],
      power_level_content_override: { users: { [benoit.userId]: 100 } },
    })
    await invitedTo(benoit, roomId)
    await benoit.ok('POST', inRoom(roomId, 'join'))
    const address = 'walter@home.example'
    await invite(anne, finances, roomId, address)
    const token = await eventually('the moderator sees the invitation', async () => {
      const state = (await benoit.ok('GET', inRoom(roomId, 'state'))) as { type: string; state_key: string }[]
      return state.find(({ type }) => type === 'm.room.third_party_invite')?.state_key
    })
    expect(await isInvited(address)).toBe(true)
    await benoit.ok('PUT', inRoom(roomId, `state/m.room.third_party_invite/${enc(token)}`), {})
    await eventually('its keeper has heard of it', async () => !(await isInvited(address)))
    const before = (await circle.mailsTo(address, 1)).length
    await circle.askToRegister(externe, address)
    expect((await circle.mailsTo(address, before + 1)).at(-1)!.text).toContain('was not invited')
  })

  it('does not name anybody whom the circle does not know, in the room', async () => {
    const roomId = await createRoom(anne, open)
    await invite(anne, finances, roomId, 'yann.secret@home.example')
    const state = (await anne.ok('GET', inRoom(roomId, 'state'))) as { type: string; content: object }[]
    const offer = state.find(({ type }) => type === 'm.room.third_party_invite')
    expect(JSON.stringify(offer)).not.toContain('secret')
    expect(offer!.content).toMatchObject({ display_name: 'y…@h…', public_keys: [expect.anything()] })
  })
})

describe('the identity server of the circle', () => {
  const identity = (
    node: Node,
    method: string,
    path: string,
    token?: string,
    body?: object,
  ): Promise<Answer> =>
    call(node.url, method, `/_matrix/identity/v2${path}`, { token, ...(body && { body }) })
  async function tokenOf(user: User, node: Node): Promise<string> {
    const openid = await user.ok('POST', v3(`/user/${enc(user.userId)}/openid/request_token`))
    const { status, body } = await identity(node, 'POST', '/account/register', undefined, openid)
    expect(status).toBe(200)
    return body.token as string
  }
  const hash = (address: string, pepper: string): string =>
    createHash('sha256').update(`${address} email ${pepper}`).digest('base64url')

  it('finds users of all members by hashes of their addresses, for its own users', async () => {
    const token = await tokenOf(anne, finances)
    expect((await identity(finances, 'GET', '/account', token)).body).toEqual({ user_id: anne.userId })
    const { lookup_pepper: pepper, algorithms } = (await identity(finances, 'GET', '/hash_details', token))
      .body
    expect(algorithms).toEqual(['sha256'])
    const [own, other, nobody] = [
      'anne.dupont@finances.example',
      'benoit@interieur.example',
      'x@home.example',
    ].map((address) => hash(address, pepper as string))
    const asked = { algorithm: 'sha256', pepper, addresses: [own, other, nobody] }
    const { status, body } = await identity(finances, 'POST', '/lookup', token, asked)
    expect([status, body]).toEqual([200, { mappings: { [own!]: anne.userId, [other!]: benoit.userId } }])
    const stale = await identity(finances, 'POST', '/lookup', token, { ...asked, pepper: 'old' })
    expect([stale.status, stale.body]).toEqual([
      400,
      expect.objectContaining({ errcode: 'M_INVALID_PEPPER', lookup_pepper: pepper }),
    ])
  })

  it('is for those who are logged in', async () => {
    for (const token of [undefined, 'nonsense', anne.token]) {
      expect((await identity(finances, 'GET', '/hash_details', token)).status).toBe(401)
      const asked = { algorithm: 'sha256', pepper: 'x', addresses: [] }
      expect((await identity(finances, 'POST', '/lookup', token, asked)).status).toBe(401)
    }
    const openid = await anne.ok('POST', v3(`/user/${enc(anne.userId)}/openid/request_token`))
    expect((await identity(interieur, 'POST', '/account/register', undefined, openid)).status).toBe(401)
  })

  it('finds nobody for external accounts', async () => {
    const roomId = await createRoom(anne, open)
    await invite(anne, finances, roomId, 'ursula@home.example')
    const ursula = await circle.register(externe, 'ursula@home.example')
    const token = await tokenOf(ursula, externe)
    const { lookup_pepper: pepper } = (await identity(externe, 'GET', '/hash_details', token)).body
    const asked = {
      algorithm: 'sha256',
      pepper,
      addresses: [hash('benoit@interieur.example', pepper as string)],
    }
    expect(refused(await identity(externe, 'POST', '/lookup', token, asked))).toEqual([
      403,
      'M_FORBIDDEN',
      'address.external',
    ])
  })
})

describe('where an address belongs', () => {
  const info = async (node: Node, address: string, more: object = {}, token?: string): Promise<unknown> =>
    (await call(node.url, 'GET', '/_matrix/identity/api/v1/info', { token, query: { address, ...more } }))
      .body

  it('is told to everybody; where an account stands that is elsewhere, to whoever proves the address', async () => {
    const address = 'marie@finances.example'
    const marie = await circle.register(finances, address)
    // Her address goes to another administration.
    await circle.publish((members) =>
      members.map((member) => {
        const domains =
          member['server_name'] === interieur.serverName ? ['interieur.example'] : ['other.example']
        const patterns = member['server_name'] === interieur.serverName ? ['marie@finances.example'] : []
        return member['role'] === 'external' ? member : { ...member, email: { domains, patterns } }
      }),
    )
    try {
      const belongs = { hs: interieur.serverName }
      const moved = { hs: finances.serverName, new_hs: interieur.serverName }
      for (const node of [finances, interieur]) {
        expect(await info(node, address)).toEqual(belongs)
        expect(await info(node, address, { sid: 'x', client_secret: 'client-secret' })).toEqual(belongs)
      }
      expect(await info(finances, address, {}, anne.token)).toEqual(belongs)
      expect(await info(finances, address, {}, marie.token)).toEqual(moved)
      // The new server sends a mail, as for an account there, and finds the old one.
      const { sid } = (await circle.askToRegister(interieur, address)).body
      const proof = { sid: sid as string, client_secret: 'client-secret' }
      expect(await info(interieur, address, proof)).toEqual(belongs)
      await circle.openLink(address, sid as string)
      expect(await info(interieur, address, proof)).toEqual(moved)
      expect(await info(interieur, 'x@interieur.example', proof)).toEqual(belongs)
    } finally {
      await circle.publish()
    }
  })

  it('and who is invited there is told to members alone', async () => {
    const { status } = await call(finances.url, 'GET', '/_matrix/identity/api/v1/internal-info', {
      query: { address: 'x@home.example' },
    })
    expect(status).toBe(401)
  })
})

describe('what clients ask of a circle', () => {
  it('is with whom the server speaks, and how accounts are, also those of members', async () => {
    const list = await anne.ok('GET', '/_synapse/client/v1/config/federation_whitelist')
    expect(list).toEqual({
      whitelist_enabled: true,
      whitelist: circle.nodes.map(({ serverName }) => serverName),
    })
    const gone = await circle.register(interieur, 'gone@interieur.example')
    await gone.ok('POST', v3('/account/deactivate'), {
      auth: {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: gone.userId },
        password: gone.password,
      },
    })
    const unknown = `@nobody:${interieur.serverName}`
    const user_ids = [anne.userId, benoit.userId, gone.userId, unknown, '@x:elsewhere.example']
    expect(await anne.ok('POST', '/_matrix/client/unstable/users/info', { user_ids })).toEqual({
      [anne.userId]: { expired: false, deactivated: false },
      [benoit.userId]: { expired: false, deactivated: false },
      [gone.userId]: { expired: false, deactivated: true },
    })
  })
})
