import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freeBase } from '../../scripts/free-port.mjs'
import { call, createRoom, eventually, register, sendText, v3 } from '../harness/client.js'
import { startNode, testAuthority } from '../harness/node.js'

const SCRIPT = fileURLToPath(new URL('../../scripts/demo.mjs', import.meta.url))
const MINISTRIES = ['finances', 'interieur', 'sante', 'externe'] as const
const enc = encodeURIComponent
/** A loaded machine takes minutes for four nodes and a walk. */
const HANG_MS = 600_000

let folder: string
let basePort: number
let demo: Demo

interface Demo {
  readonly child: ChildProcess
  output(): string
  ended(): Promise<number | null>
}

function startDemo(...args: string[]): Demo {
  const child = spawn(process.execPath, [SCRIPT, '--data', folder, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { child, output: () => output, ended: () => ended }
}

const running = (one: Demo): Promise<unknown> =>
  eventually(
    'the table is printed',
    async () => {
      if (one.child.exitCode !== null) throw new Error(`the demo ended:\n${one.output()}`)
      return one.output().includes('Ctrl-C ends all')
    },
    HANG_MS,
  )

const url = (index: number): string => `http://localhost:${basePort + 10 * index}`
const serverName = (index: number): string => `localhost:${basePort + 10 * index + 440}`
const pidOf = (name: string): number => Number(readFileSync(join(folder, name, 'node.pid'), 'utf8'))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The password that the table shows for a username. */
function passwordOf(username: string): string {
  const row = demo.output().split('\n').find((line) => line.startsWith(`@${username}:`)) // prettier-ignore
  return row!.split(/\s+/)[2]!
}

async function logIn(index: number, username: string): Promise<string> {
  const answer = await call(url(index), 'POST', v3('/login'), {
    body: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: username },
      password: passwordOf(username),
    },
  })
  expect(answer).toMatchObject({ status: 200, body: { user_id: `@${username}:${serverName(index)}` } })
  return answer.body.access_token
}

async function roomId(index: number, token: string, alias: string): Promise<string> {
  const answer = await call(url(index), 'GET', v3(`/directory/room/${enc(alias)}`), { token })
  expect(answer.status).toBe(200)
  return answer.body.room_id
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-demo-'))
  basePort = await freeBase([0, 10, 20, 30, 40, 41, 440, 450, 460, 470])
  demo = startDemo('--base-port', String(basePort))
  await running(demo)
}, HANG_MS)
afterAll(async () => {
  demo.child.kill('SIGTERM')
  await demo.ended()
  await rm(folder, { recursive: true, force: true })
})

describe('npm run demo', () => {
  it('prints addresses, users and passwords, and leaves its authority in the folder', async () => {
    for (const [i, name] of MINISTRIES.entries()) {
      expect(demo.output()).toMatch(new RegExp(`^${name} +${url(i)} +${serverName(i)} `, 'm'))
    }
    expect(readFileSync(join(folder, 'ca.crt'), 'utf8')).toContain('BEGIN CERTIFICATE')
    await logIn(0, 'alice')
    await logIn(1, 'camille')
    await logIn(2, 'emilie')
  })

  it('anybody may register, without limits', async () => {
    const made = await Promise.all(
      Array.from({ length: 15 }, (_, i) =>
        call(url(2), 'POST', v3('/register'), {
          body: { username: `guest${i}`, password: 'some password', auth: { type: 'm.login.dummy' } },
        }),
      ),
    )
    expect(made.map((answer) => answer.status)).toEqual(Array.from({ length: 15 }, () => 200))
  })

  it('shows the same talk in the public forum on every node, and lists it in the directory', async () => {
    const alice = await logIn(0, 'alice')
    const emilie = await logIn(2, 'emilie')
    const forum = await roomId(2, emilie, `#forum:${serverName(0)}`)
    const said = async (index: number, token: string): Promise<string[]> => {
      const path = v3(`/rooms/${enc(forum)}/messages`)
      const page = await call(url(index), 'GET', path, { token, query: { dir: 'b', limit: 100 } })
      const chunk = page.body.chunk as { type: string; sender: string; content: { body: string } }[]
      return chunk.filter((event) => event.type === 'm.room.message').map((e) => `${e.sender} ${e.content.body}`)
    } // prettier-ignore
    const there = await eventually('all of the talk', async () => {
      const all = await said(0, alice)
      return all.length >= 10 && all
    })
    const everybody = [['alice', 'benoit'], ['camille', 'david'], ['emilie', 'farid']].flatMap((names, index) =>
      names.map((name) => `@${name}:${serverName(index)}`),
    ) // prettier-ignore
    expect(new Set(there.map((line) => line.split(' ')[0]))).toEqual(new Set(everybody))
    await eventually('the same on the third node', async () => {
      const here = await said(2, emilie)
      return here.length === there.length && here.every((line) => there.includes(line))
    })
    const listed = await call(url(0), 'GET', v3('/publicRooms'))
    expect(listed.body.chunk).toMatchObject([{ room_id: forum, num_joined_members: 6 }])
  })

  it('has a room that is encrypted and in which everybody is', async () => {
    for (const [index, username] of [[0, 'benoit'], [1, 'camille'], [2, 'farid']] as const) {
      const token = await logIn(index, username)
      const room = await roomId(index, token, `#working-group:${serverName(1)}`)
      const state = (path: string) => call(url(index), 'GET', v3(`/rooms/${enc(room)}/${path}`), { token })
      expect((await state('state/m.room.encryption')).body.algorithm).toBe('m.megolm.v1.aes-sha2')
      await eventually('six members', async () => {
        return Object.keys((await state('joined_members')).body.joined).length === 6
      })
    }
  }) // prettier-ignore

  it('shows an account that has expired, a guest, and the mail by which the guest came', async () => {
    const hugo = await call(url(2), 'POST', v3('/login'), {
      body: {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'hugo' },
        password: passwordOf('hugo'),
      },
    })
    const { access_token: token } = hugo.body
    expect(await call(url(2), 'GET', v3('/account/whoami'), { token })).toMatchObject({
      status: 403,
      body: { errcode: 'ORG_MATRIX_EXPIRED_ACCOUNT' },
    })
    const gaelle = await logIn(3, 'gaelle')
    expect((await call(url(3), 'POST', v3('/createRoom'), { token: gaelle, body: {} })).status).toBe(403)
    const mails = await (await fetch(`http://127.0.0.1:${basePort + 40}/`)).text()
    expect(mails).toContain('gaelle@home.example')
    expect(mails).toMatch(/invite/i)
  })

  it('starts a node again that was killed, and the others reach it', async () => {
    const before = pidOf('sante')
    process.kill(before, 'SIGKILL')
    await eventually('another process serves', async () => {
      if (pidOf('sante') === before) return false
      const answer = await call(url(2), 'GET', '/_matrix/client/versions').catch(() => undefined)
      return answer?.status === 200
    }) // prettier-ignore
    expect(demo.output()).toMatch(/^sante ended \(SIGKILL\); starting it again in /m)
    const alice = await logIn(0, 'alice')
    const profile = await call(url(0), 'GET', v3(`/profile/${enc(`@emilie:${serverName(2)}`)}`), {
      token: alice,
    })
    expect(profile.body.displayname).toBe('Émilie Lambert')
  })

  it('refuses a folder that was made for other ports, and ports that are taken, and says so', async () => {
    const other = startDemo('--base-port', String(basePort + 1))
    expect(await other.ended()).toBe(2)
    expect(other.output()).toContain(`was made with --base-port ${basePort}`)
    const same = startDemo()
    expect(await same.ended()).toBe(1)
    expect(same.output()).toContain(`something listens on port ${basePort} already`)
  })

  it(
    'ends all on Ctrl-C, and the next start goes on with the same users and rooms',
    async () => {
      const pids = MINISTRIES.map(pidOf)
      const password = passwordOf('alice')
      const forum = await roomId(0, await logIn(0, 'alice'), `#forum:${serverName(0)}`)
      demo.child.kill('SIGINT')
      expect(await demo.ended()).toBe(0)
      expect(pids.filter(isAlive)).toEqual([])

      demo = startDemo()
      await running(demo)
      expect(demo.output()).not.toContain('making users')
      expect(passwordOf('alice')).toBe(password)
      expect(await roomId(0, await logIn(0, 'alice'), `#forum:${serverName(0)}`)).toBe(forum)
      expect(existsSync(join(folder, 'demo.json'))).toBe(true)
    },
    HANG_MS,
  )

  it(
    'plays the walk through it, each step checked, and ends',
    async () => {
      demo.child.kill('SIGTERM')
      await demo.ended()
      demo = startDemo('--walk')
      expect([await demo.ended(), demo.output()]).toEqual([0, expect.stringContaining('The walk is over')])
      const steps = demo.output().split('\n').filter((line) => line.startsWith('  ✓ ')) // prettier-ignore
      expect(steps.length).toBeGreaterThanOrEqual(25)
      demo = startDemo()
      await running(demo)
    },
    HANG_MS,
  )

  it(
    'speaks with a foreign server whose authority is given with --ca',
    async () => {
      const authority = testAuthority()
      const ca = join(folder, 'foreign.crt')
      await writeFile(ca, authority.certificate)
      const foreign = await startNode({
        authority,
        config: { federation: { ca_files: ['ca.crt', join(folder, 'ca.crt')] } },
      })
      try {
        const stranger = await register(foreign.url, 'stranger')
        const alias = `#outside:${foreign.serverName}`
        await createRoom(stranger, { preset: 'public_chat', room_alias_name: 'outside' })
        const join = async () => {
          const token = await logIn(0, 'alice')
          return call(url(0), 'POST', v3(`/join/${enc(alias)}`), { token, body: {} })
        }
        expect((await join()).status).not.toBe(200)
        demo.child.kill('SIGTERM')
        expect(await demo.ended()).toBe(0)
        demo = startDemo('--ca', ca)
        await running(demo)
        expect(await join()).toMatchObject({ status: 200 })
        const eventId = await sendText(stranger, (await join()).body.room_id, 'good morning')
        const token = await logIn(0, 'alice')
        const room = await roomId(0, token, alias)
        await eventually('the message of the foreign server', async () => {
          const path = v3(`/rooms/${enc(room)}/event/${enc(eventId)}`)
          return (await call(url(0), 'GET', path, { token })).status === 200
        })
      } finally {
        await foreign.dispose()
      }
    },
    HANG_MS,
  )
})
