import { describe, expect, it } from '@jest/globals'
import { createSigner, generateSigningKey } from '../platform/ed25519.js'
import { systemRandom } from '../platform/random.js'
import { exampleConfig } from './example.js'
import { ConfigError, pathText, type Fault } from './fault.js'
import { asNode, type Node } from './fields.js'
import { loadConfig, parseConfig, type Loaded } from './load.js'
import { ConfigSchema } from './schema.js'
import { secretVariable } from './secrets.js'

const NAME = 'server_name: ministry.example\n'

const A_KEY = createSigner(generateSigningKey(systemRandom)).publicKey
const signers = (...pairs: [string, string][]): string =>
  `trusted_signers: [${pairs.map(([name, key]) => `{ name: "${name}", key_id: "ed25519:a", public_key: "${key}" }`).join(', ')}]`

function parse(text: string, env: Record<string, string> = {}, files: Record<string, string> = {}): Loaded {
  return parseConfig(text, '/etc/chancery/homeserver.yaml', {
    env,
    readFile: (path) => {
      const content = files[path]
      if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      return content
    },
  })
}

function faultsOf(
  text: string,
  env: Record<string, string> = {},
  files: Record<string, string> = {},
): readonly Fault[] {
  try {
    parse(text, env, files)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

describe('a configuration', () => {
  it('needs nothing but the name of the server', () => {
    const { config } = parse(NAME)
    expect(config.server_name).toBe('ministry.example')
    expect(config.listeners).toEqual([
      { address: '0.0.0.0', port: 8008, resources: ['client', 'federation', 'media', 'metrics', 'health'] },
    ])
    expect(config.database).toEqual({ driver: 'sqlite', path: '/etc/chancery/homeserver.db' })
    expect(config.registration).toEqual({
      enabled: false,
      flow: 'token',
      email: 'off',
      email_domains: null,
      guests: false,
      allow_weak_shared_secret: false,
    })
    expect(config.federation.allow).toBeNull()
    expect(config.federation.timeouts.connect).toBe(10_000)
    expect(config.media.max_upload_bytes).toBe(50 * 1024 * 1024)
    expect(config.rate_limits.message).toEqual({ per_second: 10, burst: 100 })
    expect(config.rooms.default_room_version).toBe('12')
  })

  it('is frozen to its leaves', () => {
    const { config } = parse(NAME)
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.listeners[0]?.resources)).toBe(true)
    expect(Object.isFrozen(config.federation.timeouts)).toBe(true)
  })

  it('takes durations and sizes with their units', () => {
    const { config } = parse(
      `${NAME}sessions: { access_token_lifetime: 7d, session_lifetime: 1.5h }\nmedia: { max_upload_bytes: 2G, remote_max_bytes: 1000 }`,
    )
    expect(config.sessions.access_token_lifetime).toBe(604_800_000)
    expect(config.sessions.session_lifetime).toBe(5_400_000)
    expect(config.media.max_upload_bytes).toBe(2 * 1024 ** 3)
    expect(config.media.remote_max_bytes).toBe(1000)
  })

  it('resolves paths against its own folder, and what it writes against data_dir', () => {
    const { config } = parse(
      `${NAME}data_dir: ../../var/chancery\nfederation: { ca_files: [ca.pem, /abs/ca.pem] }\nmedia: { path: files }`,
    )
    expect(config.data_dir).toBe('/var/chancery')
    expect(config.signing_key_path).toBe('/var/chancery/signing.key')
    expect(config.media.path).toBe('/var/chancery/files')
    expect(config.federation.ca_files).toEqual(['/etc/chancery/ca.pem', '/abs/ca.pem'])
  })

  it('takes authorities and keys for single servers', () => {
    const key = 'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI'
    const { config } = parse(
      `${NAME}federation: { server_ca_files: { a.example: [a.pem] }, pinned_keys: { a.example: { "ed25519:1": ${key} } } }`,
    )
    expect({ ...config.federation.server_ca_files }).toEqual({ 'a.example': ['/etc/chancery/a.pem'] })
    expect({ ...config.federation.pinned_keys['a.example'] }).toEqual({ 'ed25519:1': key })
  })

  it('refuses to pin a key that it bans, however that is written', () => {
    const key = 'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI'
    const text = `${NAME}federation: { banned_keys: ["${key}="], pinned_keys: { a.example: { "ed25519:1": ${key} } } }`
    expect(() => parse(text)).toThrow('is also in `banned_keys`')
  })

  it('bounds wrong passwords unless it is told not to', () => {
    expect(parse(NAME).config.passwords.wrong_attempts).toEqual({
      per_address: 10,
      per_account: 100,
      window: 300_000,
    })
    expect(parse(`${NAME}passwords: { wrong_attempts: false }`).config.passwords.wrong_attempts).toBe(false)
  })

  it('lets rate limits be switched off one by one', () => {
    const { config } = parse(`${NAME}rate_limits: { message: false }`)
    expect(config.rate_limits.message).toBe(false)
    expect(config.rate_limits.login).not.toBe(false)
  })

  it('keeps the difference between open, closed and empty federation', () => {
    expect(parse(`${NAME}federation: { allow: null }`).config.federation.allow).toBeNull()
    expect(parse(`${NAME}federation: { allow: [] }`).config.federation.allow).toEqual([])
    expect(parse(`${NAME}federation: { allow: [a.example] }`).config.federation.allow).toEqual(['a.example'])
  })

  it('reads a section whose keys are all commented out as its defaults', () => {
    expect(parse(`${NAME}federation:\n  #enabled: false\n`).config.federation.enabled).toBe(true)
  })

  it('takes __proto__ as a name like any other', () => {
    const faults = faultsOf(`${NAME}__proto__: { polluted: true }\n`)
    expect(faults.map((fault) => pathText(fault.path))).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    const { config } = parse(`${NAME}well_known: { client_extra: { __proto__: { polluted: true } } }`)
    expect(Object.keys(config.well_known.client_extra)).toEqual(['__proto__'])
  })
})

describe('faults', () => {
  const cases: [what: string, yaml: string, path: string, problem: RegExp, remedy: RegExp][] = [
    ['a missing server name', 'presence: { enabled: true }', 'server_name', /missing/, /name after the colon/],
    ['an empty file', '', 'server_name', /missing/, /Add it/],
    ['a bad server name', 'server_name: https://x.example', 'server_name', /not a server name/, /without `https/],
    ['a misspelt key', `${NAME}federaton: {}`, 'federaton', /not a known key/, /`federation`/],
    ['a misspelt inner key', `${NAME}federation: { alow: [] }`, 'federation.alow', /not a known key/, /`allow`/],
    ['a key with dashes', `${NAME}public-baseurl: x`, 'public-baseurl', /not a known key/, /`public_baseurl`/],
    ['a key in the wrong section', `${NAME}max_upload_bytes: 5M`, 'max_upload_bytes', /not a known key/, /under `media`/],
    ['a key nobody knows', `${NAME}zzzzzzzzzz: 1`, 'zzzzzzzzzz', /not a known key/, /generate-config/],
    ['a section that is a text', `${NAME}media: big`, 'media', /"big"/, /section of keys/],
    ['a flag that is a text', `${NAME}presence: { enabled: "yes" }`, 'presence.enabled', /"yes"/, /`true` or `false`/],
    ['a choice that is none', `${NAME}logging: { level: loud }`, 'logging.level', /"loud"/, /`debug`/],
    ['a duration without a unit', `${NAME}turn: { ttl: 30 }`, 'turn.ttl', /is 30/, /`30s`/],
    ['a duration of an unknown unit', `${NAME}turn: { ttl: 30y }`, 'turn.ttl', /not a duration/, /`7d`/],
    ['a negative size', `${NAME}media: { max_upload_bytes: -1 }`, 'media.max_upload_bytes', /not a size/, /`50M`/],
    ['a port that is none', `${NAME}listeners: [{ port: 70000 }]`, 'listeners[0].port', /70000/, /at most 65535/],
    ['a listener without resources', `${NAME}listeners: [{ resources: [] }]`, 'listeners[0].resources', /0 entries/, /1 to/],
    ['an unknown resource', `${NAME}listeners: [{ resources: [chat] }]`, 'listeners[0].resources[0]', /"chat"/, /`client`/],
    ['half a certificate', `${NAME}listeners: [{ tls: { key: k.pem } }]`, 'listeners[0].tls.certificate', /missing/, /PEM/],
    ['two listeners on one port', `${NAME}listeners: [{}, {}]`, 'listeners[1]', /second time/, /own port/],
    ['an unknown database', `${NAME}database: { driver: mysql }`, 'database.driver', /"mysql"/, /`sqlite`, `postgres`/],
    ['PostgreSQL without an address', `${NAME}database: { driver: postgres }`, 'database.url', /missing/, /postgres:\/\//],
    ['PostgreSQL at the address of something else', `${NAME}database: { driver: postgres, url: "mysql://a:b@c/d" }`, 'database.url', /^is not the address of a PostgreSQL database$/, /postgres:\/\//],
    ['a key of the other driver', `${NAME}database: { driver: sqlite, url: x }`, 'database.url', /not a known key/, /./],
    ['a room version as a number', `${NAME}rooms: { default_room_version: 12 }`, 'rooms.default_room_version', /is 12/, /a text/],
    ['an unknown room version', `${NAME}rooms: { default_room_version: "99" }`, 'rooms.default_room_version', /not a room version/, /"12"/],
    ['a rate limit of true', `${NAME}rate_limits: { login: true }`, 'rate_limits.login', /is true/, /`false` or a section/],
    ['a rate limit of zero', `${NAME}rate_limits: { login: { per_second: 0, burst: 1 } }`, 'rate_limits.login.per_second', /is 0/, /more than 0/],
    ['half a rate limit', `${NAME}rate_limits: { login: { burst: 3 } }`, 'rate_limits.login.per_second', /missing/, /number/],
    ['a bad range', `${NAME}trusted_proxies: [10.0.0.0/33]`, 'trusted_proxies[0]', /not an address or range/, /10\.0\.0\.0\/8/],
    ['a base URL without scheme', `${NAME}public_baseurl: matrix.example`, 'public_baseurl', /not a web address/, /https:\/\//],
    ['a base URL with a password', `${NAME}public_baseurl: https://a:b@x.example`, 'public_baseurl', /more than/, /Leave out/],
    ['a bad name in a map', `${NAME}federation: { hosts: { "a/b": { host: x } } }`, 'federation.hosts.a/b', /not a server name/, /DNS name/],
    ['a node list without signers', `${NAME}node_list: { file: x.json }`, 'node_list.trusted_signers', /is empty/, /whose signatures/],
    ['a node list in the clear', `${NAME}node_list: { url: "http://a.example/l", ${signers(['a', A_KEY])} }`, 'node_list.url', /not encrypted/, /https/],
    ['a node list at two places', `${NAME}node_list: { url: "https://a.example/l", file: x, ${signers(['a', A_KEY])} }`, 'node_list.url', /second place/, /one of/],
    ['a threshold that nobody reaches', `${NAME}node_list: { file: x, threshold: 2, ${signers(['a', A_KEY])} }`, 'node_list.threshold', /more than/, /smaller/],
    ['one signer under two names', `${NAME}node_list: { file: x, ${signers(['a', A_KEY], ['b', `${A_KEY}=`])} }`, 'node_list.trusted_signers[1]', /signs twice/, /of its own/],
    ['a signer without a proper name', `${NAME}node_list: { file: x, ${signers(['A b', A_KEY])} }`, 'node_list.trusted_signers[0].name', /not the name/, /letters/],
    ['a gate that knows no addresses', `${NAME}address_gate: { enforced: true }`, 'address_gate.domains', /is empty/, /node list/],
    ['a gate with a door beside it', `${NAME}address_gate: { enforced: true, domains: [a.example] }\nregistration: { enabled: true }`, 'registration.email', /without an address/, /required/],
    ['a gate for guests', `${NAME}address_gate: { enforced: true, domains: [a.example] }\nregistration: { guests: true }`, 'registration.guests', /no address/, /false/],
    ['a gate for a domain that looks like another', `${NAME}address_gate: { domains: [xn--a-1.example] }`, 'address_gate.domains[0]', /not a domain/, /lower case/],
    ['a pattern that is none', `${NAME}address_gate: { patterns: ["*.a.example"] }`, 'address_gate.patterns[0]', /not a pattern/, /@/],
    ['a template that names nothing', `${NAME}managed_accounts: { user_id: "{nme}" }`, 'managed_accounts.user_id', /`nme`/, /`\{local\}`/],
    ['a name made of an address that nobody gives', `${NAME}managed_accounts: { user_id: "{local}" }\nregistration: { enabled: true }`, 'managed_accounts.user_id', /need not have/, /required/],
    ['a bot without second factors', `${NAME}admin_bot: { localpart: bot }`, 'second_factor.secret', /is missing/, /take/],
    ['a bot that is no account', `${NAME}admin_bot: { localpart: "a b" }\nsecond_factor: { secret: ${'s'.repeat(32)} }`, 'admin_bot.localpart', /no name/, /letters/],
    ['a bot that sends notices', `${NAME}admin_bot: { localpart: bot }\nserver_notices: { localpart: bot }\nsecond_factor: { secret: ${'s'.repeat(32)} }`, 'admin_bot.localpart', /server_notices/, /another/],
    ['a bot for people of elsewhere', `${NAME}admin_bot: { localpart: bot, people: ["@a:other.example"] }\nsecond_factor: { secret: ${'s'.repeat(32)} }`, 'admin_bot.people[0]', /no user/, /users of it/],
    ['a seal that is short', `${NAME}second_factor: { secret: short }`, 'second_factor.secret', /guessed/, /32/],
    ['codes that nobody can have', `${NAME}second_factor: { guards_tools: true }`, 'second_factor.guards_tools', /nobody/, /secret/],
    ['a server both allowed and denied', `${NAME}federation: { allow: [a.example], deny: [a.example] }`, 'federation.deny[0]', /also in/, /one of/],
    ['a TURN server without its secret', `${NAME}turn: { uris: ["turn:x"] }`, 'turn.secret', /missing/, /TURN/],
    ['a TURN address without scheme', `${NAME}turn: { uris: [x.example] }`, 'turn.uris[0]', /not a TURN address/, /turn:host/],
    ['a contact who is nobody', `${NAME}well_known: { support: { contacts: [{}] } }`, 'well_known.support.contacts[0]', /nobody/, /email_address/],
    ['an old key that is none', `${NAME}old_signing_keys: [{ key_id: "ed25519:a", public_key: abc, expired_ts: 1 }]`, 'old_signing_keys[0].public_key', /not a public key/, /43/],
    ['a secret that is a list', `${NAME}turn: { secret: [x] }`, 'turn.secret', /wrong type/, /text/],
    ['a short shared secret', `${NAME}registration: { shared_secret: abc }`, 'registration.shared_secret', /guessed/, /16/],
    ['an empty text', `${NAME}admin_contact: ""`, 'admin_contact', /empty/, /remove/],
    ['a key given twice', `${NAME}${NAME}`, '', /not YAML/, /./],
    ['no YAML at all', 'a: [', '', /not YAML/, /indented/],
    ['a file that is a list', '- a', '', /is a list/, /section/],
  ] // prettier-ignore

  it.each(cases)('of %s are named with path and remedy', (_what, yaml, path, problem, remedy) => {
    const faults = faultsOf(yaml)
    expect(faults.map((fault) => pathText(fault.path))).toEqual([path])
    expect(faults[0]?.problem).toMatch(problem)
    expect(faults[0]?.remedy).toMatch(remedy)
  })

  it('are all reported at once, with the lines they stand in', () => {
    const faults = faultsOf(
      `server_name: a/b\nmedia:\n  max_upload_bytes: big\n\nfederaton: {}\nlisteners:\n  - port: x\n`,
    )
    const lines = faults.map((fault) => [pathText(fault.path), fault.line])
    expect(new Map(lines as [string, number][])).toEqual(
      new Map<string, number>([
        ['federaton', 5],
        ['server_name', 1],
        ['listeners[0].port', 7],
        ['media.max_upload_bytes', 3],
      ]),
    )
  })

  it('of keys that are wrong together are told beside those of other keys', () => {
    const faults = faultsOf(
      `server_name: a/b\nturn: { uris: ["turn:t.example"] }\nregistration: { shared_secret: short, enabled: maybe }\nmail: { host: m.example }\n`,
    )
    expect(new Set(faults.map((fault) => pathText(fault.path)))).toEqual(
      new Set([
        'server_name',
        'registration.enabled',
        'turn.secret',
        'registration.shared_secret',
        'mail.from',
        'public_baseurl',
      ]),
    )
  })

  it('are told once: what is wrong by itself is not wrong together with something too', () => {
    const unreadable =
      'mail: { user: a, password_file: nowhere, from: 5, host: m.example }\npublic_baseurl: x\n'
    expect(new Set(faultsOf(NAME + unreadable).map((fault) => pathText(fault.path)))).toEqual(
      new Set(['mail.password_file', 'mail.from', 'public_baseurl']),
    )
  })

  it('are printed one after the other, with their count', () => {
    const error = new ConfigError('/x.yaml', faultsOf('server_name: a/b\nzzzzzzzzzz: 1'))
    expect(error.message).toMatch(
      /^\/x\.yaml: 2 faults\n {2}line 2, zzzzzzzzzz: is not a known key\n {6}Remove it/,
    )
  })

  it('name a file that cannot be read', () => {
    expect(() => loadConfig('/nowhere/homeserver.yaml', { env: {} })).toThrow(/cannot be read \(ENOENT\)/)
  })

  it('survive a bomb of aliases', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [key, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf'].map((pair) => [pair[0]!, pair[1]!])) {
      bomb.push(`${key}: &${key} [${Array(9).fill(`*${of}`).join(', ')}]`)
    }
    expect(faultsOf(bomb.join('\n'))[0]?.problem).toMatch(/expands to too much/)
  })
})

describe('notes', () => {
  it.each([['registration: { allow_weak_shared_secret: true }', 'may be guessed']])(
    'tell of what is seldom meant: %s',
    (setting, words) => {
      const publicBaseurl = 'public_baseurl: https://matrix.ministry.example\n'
      expect(parse(NAME + publicBaseurl).warnings).toEqual([])
      expect(parse(NAME + publicBaseurl + setting).warnings).toEqual([expect.stringContaining(words)])
    },
  )
})

describe('a secret', () => {
  const turn = 'turn: { uris: ["turn:t.example"] }\n'

  it('may come from a file beside the configuration, less its last line break', () => {
    const { config } = parse(
      `${NAME}turn: { uris: ["turn:t.example"], secret_file: turn.secret }`,
      {},
      {
        '/etc/chancery/turn.secret': 'hush\n',
      },
    )
    expect(config.turn.secret).toBe('hush')
  })

  it('may come from the environment', () => {
    expect(parse(NAME + turn, { CHANCERY_TURN_SECRET: 'hush' }).config.turn.secret).toBe('hush')
    const { config } = parse(`${NAME}database: { driver: postgres }`, {
      CHANCERY_DATABASE_URL: 'postgres://x',
    })
    expect(config.database).toEqual({ driver: 'postgres', url: 'postgres://x', max_connections: 20 })
  })

  it('given twice is a fault that names both places', () => {
    const faults = faultsOf(`${NAME}turn: { secret: a }`, { CHANCERY_TURN_SECRET: 'b' })
    expect(faults.map((fault) => fault.remedy)).toEqual([
      'Keep one of `secret` and the environment variable CHANCERY_TURN_SECRET.',
    ])
  })

  it('whose file is missing or empty is one fault', () => {
    expect(faultsOf(`${NAME}turn: { secret_file: gone }`)[0]?.problem).toMatch(
      /ENOENT.*\/etc\/chancery\/gone/,
    )
    expect(faultsOf(`${NAME}turn: { secret_file: e }`, {}, { '/etc/chancery/e': '\n' })).toHaveLength(1)
  })

  it('is never printed in a fault', () => {
    for (const faults of [
      faultsOf(`${NAME}turn: { secret: { hush: hush } }`),
      faultsOf(`${NAME}registration: { shared_secret: hush }`),
      faultsOf(`${NAME}turn: { secret: hush, secret_file: x }`),
    ]) {
      expect(faults).toHaveLength(1)
      expect(new ConfigError('x', faults).message).not.toContain('hush')
    }
  })
})

describe('the schema', () => {
  function walk(node: Node, path: string[], visit: (node: Node, path: string[]) => void): void {
    for (const [key, property] of Object.entries(node.properties ?? {})) {
      visit(property, [...path, key])
      walk(property, [...path, key], visit)
    }
    for (const branch of node.anyOf ?? []) walk(branch, path, visit)
    if (node.items !== undefined) walk(node.items, path, visit)
  }

  it('describes every key of a section', () => {
    const silent: string[] = []
    walk(asNode(ConfigSchema), [], (node, path) => {
      const insideList = ['rate_limits', 'thumbnails'].some((name) => path.includes(name) && path.length > 2)
      if (node.description === undefined && node.const === undefined && !insideList)
        silent.push(path.join('.'))
    })
    expect(silent).toEqual([])
  })

  it('gives every secret an environment variable of its own', () => {
    const names: string[] = []
    walk(asNode(ConfigSchema), [], (node, path) => {
      if (node.secret === true) names.push(secretVariable(path))
    })
    expect(names.length).toBeGreaterThan(2)
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('the example', () => {
  it('is a valid configuration as it stands', () => {
    expect(parse(exampleConfig({ server_name: 'ministry.example' })).config).toEqual(parse(NAME).config)
  })

  it('shows the real defaults: with every line uncommented it means the same', () => {
    // A line of explanation has one space after its `#`, a value none, the inside of a value at least two.
    const uncommented = exampleConfig({ server_name: 'ministry.example' })
      .replaceAll(/^( *)#(?! \S|$)/gm, '$1')
      .split('\n')
      .filter(
        (line) =>
          !/^ *(secret|shared_secret|public_baseurl|admin_contact|page|well_known_server|host|from|user|password|localpart|avatar_url|policy_server_key|file|url|socket|user_id|display_name|register_url|program):/.test(
            line,
          ),
      )
    const known = parse(NAME).config
    const { config } = parse(uncommented.join('\n'))
    expect(uncommented.some((line) => line.trim() === 'burst: 500')).toBe(true)
    expect(config).toEqual(known)
  })
})
