import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { memberJson } from '../core/node-list/testing.js'
import { workplace, type Finished, type Workplace } from './testing.js'

let place: Workplace
/** `NAME KEYID PUBLICKEY` of each signer. */
const halves = new Map<string, string>()

beforeEach(async () => {
  place = workplace()
  for (const name of ['anssi', 'dinum', 'cnil']) {
    const { out } = await place.run(['generate-key', '--output', `${name}.key`])
    const id = /key id: (.*)/.exec(out)?.[1]
    const key = /public key: (.*)/.exec(out)?.[1]
    halves.set(name, `${name} ${id} ${key}`)
  }
  signers('first.txt', 'anssi', 'dinum')
})
afterEach(() => place.remove())

const file = (name: string): string => join(place.folder, name)
const signers = (name: string, ...who: string[]): void =>
  writeFileSync(file(name), ['# who signs', ...who.map((one) => halves.get(one)!), ''].join('\n'))
const list = (...args: string[]): Promise<Finished> => place.run(['node-list', ...args])
const sign = (name: string, who: string): Promise<Finished> =>
  list('sign', name, '--name', who, '--key', `${who}.key`)

function edit(name: string, change: (json: { members: unknown[] }) => void): void {
  const json = JSON.parse(readFileSync(file(name), 'utf8')) as { members: unknown[] }
  change(json)
  writeFileSync(file(name), JSON.stringify(json))
}

async function firstList(): Promise<void> {
  const made = await list(
    'create',
    'one.json',
    '--circle',
    'administration.example',
    '--signers',
    'first.txt',
  )
  expect(made).toMatchObject({
    code: 0,
    out: expect.stringContaining('node list 1 of administration.example, not signed'),
  })
  edit('one.json', (json) => json.members.push(memberJson('a.example'), memberJson('b.example')))
  await sign('one.json', 'anssi')
  expect((await sign('one.json', 'dinum')).out).toContain('list: signed by anssi, dinum; 2 needed')
}

function configure(...who: string[]): void {
  const trusted = who.map((name) => {
    const [, id, key] = halves.get(name)!.split(' ')
    return `{ name: ${name}, key_id: "${id}", public_key: "${key}" }`
  })
  writeFileSync(
    file('homeserver.yaml'),
    `server_name: a.example\nnode_list: { file: one.json, trusted_signers: [${trusted.join(', ')}] }\n`,
  )
}

describe('chancery node-list', () => {
  it('makes a list, takes signatures one after the other, and says what a node would think of it', async () => {
    await firstList()
    configure('anssi', 'dinum')
    expect(await list('verify', 'one.json')).toMatchObject({
      code: 0,
      out: expect.stringContaining('node list 1 of administration.example is in order'),
    })
    configure('anssi', 'cnil')
    expect(await list('verify', 'one.json')).toMatchObject({
      code: 1,
      err: expect.stringContaining('(unsigned)'),
    })
    edit('one.json', (json) => json.members.pop())
    configure('anssi', 'dinum')
    expect(await list('verify', 'one.json')).toMatchObject({
      code: 1,
      err: expect.stringContaining('signed by nobody'),
    })
  })

  it('makes the next list, with other signers if it is told to, and shows what differs', async () => {
    await firstList()
    signers('second.txt', 'dinum', 'cnil')
    const made = await list(
      'create',
      'two.json',
      '--from',
      'one.json',
      '--signers',
      'second.txt',
      '--days',
      '30',
    )
    expect(made.out).toContain('node list 2')
    edit('two.json', (json) => {
      json.members[0] = memberJson('a.example', { role: 'external' })
      json.members[1] = memberJson('c.example')
    })
    await sign('two.json', 'dinum')
    await sign('two.json', 'cnil')
    const against = ['verify', 'two.json', '--against', 'one.json']
    expect(await list(...against)).toMatchObject({ code: 1, err: expect.stringContaining('old and new') })
    await sign('two.json', 'anssi')
    expect(await list(...against)).toMatchObject({ code: 0 })
    expect(await list('verify', 'one.json', '--against', 'two.json')).toMatchObject({ code: 1 })
    const diff = await list('diff', 'one.json', 'two.json')
    expect(diff.code).toBe(1)
    for (const line of [
      '+ c.example',
      '- b.example',
      '~ a.example  role',
      'was agents, is external',
      '+ signer cnil',
      '- signer anssi',
    ])
      expect(diff.out).toContain(line)
    expect(await list('diff', 'one.json', 'one.json')).toMatchObject({ code: 0 })
    expect((await list('show', 'two.json')).out).toContain('c.example  agents  The people of c.example')
  })

  it('refuses what is wrong, with all of it', async () => {
    await firstList()
    expect(await sign('one.json', 'cnil')).toMatchObject({
      code: 1,
      err: expect.stringContaining('does not ask for a signature of cnil'),
    })
    edit('one.json', (json) => json.members.push({ server_name: 'A.example' }, 7))
    const { code, err } = await list('show', 'one.json')
    expect(code).toBe(1)
    for (const path of ['members[2].server_name', 'members[2].label', 'members[3]'])
      expect(err).toContain(path)
    expect(await list('show', 'nothing.json')).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    })
    expect(await list('create', 'one.json', '--circle', 'x.example', '--signers', 'first.txt')).toMatchObject(
      {
        code: 1,
        err: expect.stringContaining('is there already'),
      },
    )
    for (const args of [
      ['create', 'x.json'],
      ['sign', 'one.json'],
      ['burn', 'one.json'],
      ['show'],
      ['show', 'a', 'b'],
    ])
      expect((await list(...args)).code).toBe(2)
    writeFileSync(file('bad.txt'), 'anssi ed25519:a x\n')
    expect(await list('create', 'x.json', '--circle', 'x.example', '--signers', 'bad.txt')).toMatchObject({
      code: 1,
      err: expect.stringContaining('line 1'),
    })
  })
})
