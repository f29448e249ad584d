import { createHmac } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../config/load.js'
import { createAuthority } from '../platform/certificate.js'
import { createSigner, parseKeyFile } from '../platform/ed25519.js'
import { systemRandom } from '../platform/random.js'
import { userById } from '../storage/tables/users.js'
import { openSqlite } from '../storage/sqlite-store.js'
import { VERSION } from '../version.js'
import { COMMANDS } from './run.js'
import { workplace, type Workplace } from './testing.js'

// Some commands run as processes that compile their sources first.
let place: Workplace
beforeEach(() => {
  place = workplace()
})
afterEach(() => place.remove())

const file = (name: string): string => join(place.folder, name)

/** A configuration with cheap hashes, and a key beside it. */
async function configured(extra = ''): Promise<void> {
  writeFileSync(
    file('homeserver.yaml'),
    `server_name: ministry.example\npasswords: { memory_kib: 64, iterations: 1 }\n${extra}`,
  )
  expect((await place.run(['generate-key'])).code).toBe(0)
}

describe('chancery', () => {
  it('tells its version, alone on a line', async () => {
    expect(await place.spawn(['--version'])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' })
  })

  it('lists every command in its help', async () => {
    const { code, out } = await place.run(['--help'])
    expect(code).toBe(0)
    for (const command of COMMANDS) expect(out).toContain(`  ${command.name} `)
  })

  it('explains every option of every command', () => {
    for (const command of COMMANDS) {
      for (const option of Object.keys(command.options)) {
        expect([command.name, command.help.some((line) => line.includes(`--${option}`))]).toEqual([
          command.name,
          true,
        ])
      }
    }
  })

  it('exits with 2 when called wrongly, and says what was meant', async () => {
    expect(await place.run([])).toMatchObject({ code: 2, out: '' })
    const command = await place.spawn(['generate-kye'])
    expect(command).toMatchObject({ code: 2, out: '' })
    expect(command.err).toContain('Did you mean `generate-key`?')
    const option = await place.run(['migrate', '--dry-run'])
    expect(option.code).toBe(2)
    expect(option.err).toContain('chancery migrate --help')
    expect(option.err).not.toContain('at ')
  })

  it('exits with 3 and all faults when the configuration is wrong', async () => {
    writeFileSync(file('homeserver.yaml'), 'server_name: a/b\nfederaton: {}\n')
    for (const command of [
      'serve',
      'migrate',
      'check-config',
      'register-user --user x --generate-password',
    ]) {
      const { code, err } = await place.run(command.split(' '))
      expect([command, code]).toEqual([command, 3])
      expect(err).toContain('line 1, server_name: is not a server name')
      expect(err).toContain('Did you mean `federation`?')
      expect(err).not.toMatch(/^\s+at /m)
    }
  })
})

describe('chancery generate-config', () => {
  it('writes a configuration that check-config finds in order once there is a key', async () => {
    const made = await place.run([
      'generate-config',
      '--server-name',
      'ministry.example',
      '--output',
      'homeserver.yaml',
    ])
    expect(made).toEqual({ code: 0, out: '', err: '' })
    const without = await place.run(['check-config'])
    expect(without.code).toBe(3)
    expect(without.err).toContain('chancery generate-key')
    await place.run(['generate-key'])
    const checked = await place.spawn(['check-config'])
    expect(checked).toMatchObject({ code: 0, err: '' })
    expect(checked.out).toContain('note: public_baseurl is not set')
    expect(checked.out).toContain('is in order')
  })

  it('sets what it is told, and refuses what could not work', async () => {
    const args = ['generate-config', '--server-name', 'localhost', '--port', '8018']
    const { out } = await place.run([...args, '--public-baseurl', 'http://localhost:8018'])
    expect(out).toContain('\npublic_baseurl: http://localhost:8018\n')
    expect(out).toContain('\nlisteners:\n  - address: 127.0.0.1\n    port: 8018\n')
    expect((await place.run(['generate-config', '--server-name', 'https://x'])).code).toBe(3)
    expect((await place.run(['generate-config'])).code).toBe(2)
  })

  it('makes a configuration for one machine that register-user can use while the node runs', async () => {
    const made = await place.run([
      'generate-config',
      '--server-name',
      'localhost',
      '--local',
      '--output',
      'homeserver.yaml',
    ])
    expect(made.code).toBe(0)
    expect(statSync(file('homeserver.yaml')).mode & 0o777).toBe(0o600)
    const { config } = loadConfig(file('homeserver.yaml'), { env: {} })
    expect(config.registration.shared_secret).toMatch(/^[A-Za-z0-9]{40}$/)
    expect(config.logging.pretty).toBe(true)
  })

  it('does not overwrite a file', async () => {
    writeFileSync(file('mine.yaml'), 'precious')
    const { code, err } = await place.run([
      'generate-config',
      '--server-name',
      'a.example',
      '--output',
      'mine.yaml',
    ])
    expect([code, readFileSync(file('mine.yaml'), 'utf8')]).toEqual([1, 'precious'])
    expect(err).toContain('exists already')
  })
})

describe('chancery generate-key', () => {
  it('writes a key for its owner alone, and prints the public half', async () => {
    const { code, out } = await place.run(['generate-key', '--output', 'k.key'])
    expect(code).toBe(0)
    expect(statSync(file('k.key')).mode & 0o777).toBe(0o600)
    const [key] = parseKeyFile(readFileSync(file('k.key'), 'utf8'))
    const { keyId, publicKey } = createSigner(key!)
    expect(out).toContain(`key id: ${keyId}\npublic key: ${publicKey}\n`)
  })

  it('never overwrites a key', async () => {
    await place.run(['generate-key', '--output', 'k.key'])
    const before = readFileSync(file('k.key'), 'utf8')
    expect((await place.run(['generate-key', '--output', 'k.key'])).code).toBe(1)
    expect(readFileSync(file('k.key'), 'utf8')).toBe(before)
  })
})

describe('chancery migrate', () => {
  it('makes the database, and is content with a made one', async () => {
    await configured()
    expect((await place.run(['migrate'])).code).toBe(0)
    expect(existsSync(file('homeserver.db'))).toBe(true)
    expect((await place.run(['migrate'])).out).toMatch(/^the database has schema \d+, the newest/)
  })
})

describe('chancery register-user', () => {
  it('makes an account in the database of a stopped node, and says so', async () => {
    await configured()
    const args = ['register-user', '--user', 'anne', '--admin', '--generate-password']
    const { code, out } = await place.spawn(args)
    expect([code, out.split('\n')[0]]).toEqual([0, 'made @anne:ministry.example in the database'])
    expect(out).toMatch(/^username: anne\npassword: [A-Za-z0-9]{24}$/m)
    const store = await openSqlite({ path: file('homeserver.db') })
    const row = await store.read('test', () => userById('@anne:ministry.example'))
    await store.close()
    expect(row).toMatchObject({ is_admin: 1 })
  })

  it('takes the password from standard input or a file, never from its arguments', async () => {
    await configured()
    const typed = await place.spawn(['register-user', '--user', 'a'], { input: 'a long password\nmore\n' })
    expect([typed.code, typed.err]).toEqual([0, ''])
    expect(typed.out).not.toContain('a long password')
    writeFileSync(file('pw'), 'another password\n')
    expect((await place.run(['register-user', '--user', 'b', '--password-file', 'pw'])).code).toBe(0)
    expect((await place.run(['register-user', '--user', 'c', '--password', 'x'])).code).toBe(2)
  })

  it('passes on why an account cannot be made', async () => {
    await configured()
    const short = await place.run(['register-user', '--user', 'a'], { input: 'short\n' })
    expect(short.code).toBe(1)
    expect(short.err).toMatch(/^chancery: .*12/)
    await place.run(['register-user', '--user', 'a'], { input: 'a long password\n' })
    const taken = await place.run(['register-user', '--user', 'a'], { input: 'a long password\n' })
    expect([taken.code, taken.err]).toEqual([1, 'chancery: The user name is taken\n'])
    expect((await place.run(['register-user', '--user', 'a'], { input: '\n' })).code).toBe(2)
  })

  it('asks the running node while that has the database, with proof of the shared secret', async () => {
    const secret = 'a shared secret of some length'
    let seen: Record<string, unknown> = {}
    const node = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (request.method === 'POST')
          seen = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
        response.setHeader('Content-Type', 'application/json')
        response.end(
          JSON.stringify(request.method === 'POST' ? { user_id: '@b:ministry.example' } : { nonce: 'n1' }),
        )
      })
    })
    await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
    const { port } = node.address() as AddressInfo
    await configured(
      `listeners: [{ address: 127.0.0.1, port: ${port} }]\nregistration: { shared_secret: ${secret} }\n`,
    )
    const store = await openSqlite({ path: file('homeserver.db') })
    try {
      const { code, out } = await place.run(['register-user', '--user', 'b', '--admin'], {
        input: 'a long password\n',
      })
      expect([code, out]).toEqual([0, 'made @b:ministry.example through the running node\n'])
      const mac = createHmac('sha1', secret).update('n1\0b\0a long password\0admin').digest('hex')
      expect(seen).toEqual({ nonce: 'n1', username: 'b', password: 'a long password', admin: true, mac })
    } finally {
      await store.close()
      await new Promise((resolve) => node.close(resolve))
    }
  })

  it('says what to do when a node has the database and cannot be asked', async () => {
    await configured()
    const store = await openSqlite({ path: file('homeserver.db') })
    try {
      const { code, err } = await place.run(['register-user', '--user', 'b'], { input: 'a long password\n' })
      expect(code).toBe(1)
      expect(err).toMatch(/nobody answers at .*operator\.sock.*stop the node/)
    } finally {
      await store.close()
    }
  })
})

describe('chancery check-config', () => {
  it('looks into the files that the configuration names', async () => {
    await configured(
      'listeners: [{ tls: { certificate: c.pem, key: k.pem } }]\nfederation: { ca_files: [ca.pem] }\nappservices: [bridge.yaml]\n',
    )
    writeFileSync(file('c.pem'), 'no certificate')
    writeFileSync(file('k.pem'), 'no key')
    writeFileSync(file('ca.pem'), 'no certificate')
    writeFileSync(file('signing.key'), 'ed25519 broken')
    const { code, err } = await place.run(['check-config'])
    expect(code).toBe(3)
    expect(err).toMatch(/signing_key_path: .*line 1 is not a signing key/)
    expect(err).toMatch(/line \d+, listeners\[0\]\.tls\.certificate: /)
    expect(err).toMatch(/line \d+, listeners\[0\]\.tls\.key: /)
    expect(err).toMatch(/line \d+, federation\.ca_files\[0\]: holds no certificate/)
    expect(err).toMatch(/line \d+, appservices\[0\]: .*ENOENT/)
  })

  it.each(['check-config', 'serve'])(
    'tells faults of files together with all others, by %s',
    async (command) => {
      writeFileSync(
        file('homeserver.yaml'),
        [
          'server_name: ministry.example',
          'listeners: [{ port: 99999, tls: { certificate: c.pem, key: k.pem } }, 5]',
          'data_dir: nowhere',
          'federation: { ca_files: [missing.pem, 7], server_ca_files: { a.example: [gone.pem] }, enabled: 3 }',
          'mail: 1',
          'nonsense: true',
          '',
        ].join('\n'),
      )
      writeFileSync(file('k.pem'), 'no key')
      const { code, err } = await place.run([command])
      expect(code).toBe(3)
      for (const said of [
        /listeners\[0\]\.port: is 99999/,
        /listeners\[1\]: is 5/,
        /listeners\[0\]\.tls\.certificate: names a file that cannot be read \(ENOENT\)/,
        /listeners\[0\]\.tls\.key: /,
        /data_dir: the folder is not there/,
        /federation\.ca_files\[0\]: .*ENOENT/,
        /federation\.ca_files\[1\]: is 7/,
        /federation\.server_ca_files\.a\.example\[0\]: .*ENOENT/,
        /federation\.enabled: is 3/,
        /nonsense: is not a known key/,
      ])
        expect(err).toMatch(said)
      expect(err).not.toMatch(/^\s+at /m)
    },
  )

  it('finds a private key that is not the certificate’s', async () => {
    const [one, other] = [1, 2].map((n) =>
      createAuthority({
        name: `CA ${n}`,
        validity: { from: Date.now() - 3_600_000, until: Date.now() + 3_600_000 },
        random: systemRandom,
      }),
    )
    await configured('listeners: [{ tls: { certificate: c.pem, key: k.pem } }]\n')
    writeFileSync(file('c.pem'), one!.certificate)
    writeFileSync(file('k.pem'), other!.privateKey)
    const { code, err } = await place.run(['check-config'])
    expect(code).toBe(3)
    expect(err).toMatch(/listeners\[0\]\.tls\.key: /)
    writeFileSync(file('k.pem'), one!.privateKey)
    expect((await place.run(['check-config'])).err).toBe('')
  })
})
