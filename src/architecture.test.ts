import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

/** Which layers a layer may import besides itself. `server.ts` with `composition`, `main.ts` and `cli` may import everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  platform: [],
  config: ['core', 'platform'],
  storage: ['core', 'platform'],
  services: ['core', 'platform', 'storage'],
  workers: ['core', 'platform', 'storage'],
  jobs: ['core', 'platform', 'services'],
  http: ['core', 'platform', 'config', 'services'],
}
const SEE_EVERYTHING = new Set(['cli', 'composition', 'server.ts', 'main.ts', 'version.ts'])

/**
 * The folders of `services`, each of which may import only earlier ones. What must go the other way is a function that
 * `composition` hands over.
 */
const SERVICES = [
  'audit',
  'server-info',
  'mail',
  'address-gate',
  'threepids',
  'devices',
  'accounts',
  'account-validity',
  'second-factor',
  'openid',
  'reports',
  'account-data',
  'red-list',
  'filters',
  'profile',
  'federation',
  'node-list',
  'audit-deposits',
  'identity',
  'member-identity',
  'to-device',
  'e2ee',
  'dehydrated-devices',
  'media',
  'scanning',
  'previews',
  'rooms',
  'policy-lists',
  'retention',
  'delayed-events',
  'timeline',
  'relations',
  'thread-subscriptions',
  'search',
  'push',
  'upgrades',
  'receipts',
  'typing',
  'presence',
  'sync',
  'pushers',
  'server-notices',
  'appservices',
  'directory',
  'spaces',
  'replication',
  'account-moves',
  'operator',
  'administration',
  'moderation-desk',
  'admin-commands',
  'admin-bot',
]

/** The folders of `services/replication`; the same rule. */
const REPLICATION = ['peers', 'history', 'sending', 'handshakes', 'receiving', 'serving']

const MAX_LINES = 400
const ROOT = dirname(fileURLToPath(import.meta.url))

interface Import {
  readonly specifier: string
  /** `{ createHash, type Hash }` or `fs`; empty for a bare or dynamic import. */
  readonly clause: string
}
interface SourceFile {
  /** Relative to src, with `/`. */
  readonly path: string
  readonly text: string
  readonly imports: readonly Import[]
  /** Tests and test helpers may look everywhere. */
  readonly isTest: boolean
}

const STATIC_IMPORT = /^(?:import|export)\s+(?:([^'";]*?)\s+from\s+)?'([^']+)'/gm
const DYNAMIC_IMPORT = /\bimport\(\s*'([^']+)'\s*\)/g

function importsOf(text: string): Import[] {
  const fixed = [...text.matchAll(STATIC_IMPORT)].map((match) => ({
    clause: match[1] ?? '',
    specifier: match[2]!,
  }))
  const dynamic = [...text.matchAll(DYNAMIC_IMPORT)].map((match) => ({ clause: '', specifier: match[1]! }))
  return [...fixed, ...dynamic]
}

function read(folder: string): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const absolute = join(entry.parentPath, entry.name)
      const text = readFileSync(absolute, 'utf8')
      const path = relative(ROOT, absolute).replaceAll('\\', '/')
      return {
        path,
        text,
        imports: importsOf(text),
        isTest: /\.test\.ts$|(^|\/)testing[^/]*(\.ts$|\/)/.test(path),
      }
    })
}

const files = read(ROOT)
const program = files.filter((file) => !file.isTest)
const layerOf = (path: string): string => path.split('/')[0]!
/** The folder inside services; undefined for files that stand directly in it. */
const serviceOf = (path: string): string | undefined =>
  path.split('/').length > 2 ? path.split('/')[1] : undefined

/** The file of src that an import means; undefined for packages. */
function target(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return join(dirname(from), specifier).replaceAll('\\', '/').replace(/\.js$/, '.ts')
}

/** Every import of one file of ours by another. */
function* edges(): Generator<{ file: SourceFile; to: string; clause: string }> {
  for (const file of program) {
    for (const { specifier, clause } of file.imports) {
      const to = target(file.path, specifier)
      if (to !== undefined) yield { file, to, clause }
    }
  }
}

/** The code of a file without its comments; good enough to look for words in. */
const codeOf = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^\s*(\*|\/\*|\/\/)/.test(line))
    .map((line) => line.replace(/\s\/\/.*$/, ''))
    .join('\n')

/** The beginning of a statement, in quotes. */
const SQL = /['"`]\s*(?:SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)/g

describe('the architecture', () => {
  it('is read from real files', () => {
    expect(program.length).toBeGreaterThan(100)
    expect([...edges()].length).toBeGreaterThan(200)
  })

  it('knows every layer', () => {
    const layers = new Set(program.map((file) => layerOf(file.path)))
    expect([...layers].filter((layer) => !(layer in MAY_IMPORT) && !SEE_EVERYTHING.has(layer))).toEqual([])
  })

  it('lets each layer import only the layers below it', () => {
    const wrong = [...edges()]
      .filter(({ file, to }) => {
        const [from, into] = [layerOf(file.path), layerOf(to)]
        return from !== into && !SEE_EVERYTHING.has(from) && MAY_IMPORT[from]?.includes(into) !== true
      })
      .map(({ file, to }) => `${file.path} imports ${to}`)
    expect(wrong).toEqual([])
  })

  it('has http import nothing but types from the configuration', () => {
    const wrong = [...edges()]
      .filter(
        ({ file, to, clause }) =>
          layerOf(file.path) === 'http' && layerOf(to) === 'config' && !/^type\b/.test(clause),
      )
      .map(({ file, to }) => `${file.path} imports ${to}`)
    expect(wrong).toEqual([])
  })

  it('keeps the folders of services in their declared order', () => {
    const wrong: string[] = []
    for (const { file, to } of edges()) {
      if (layerOf(file.path) !== 'services' || layerOf(to) !== 'services') continue
      if (file.path === 'services/services.ts') continue
      const [from, into] = [serviceOf(file.path), serviceOf(to)]
      if (to === 'services/services.ts') wrong.push(`${file.path} imports ${to}, which is for http alone`)
      // Files directly in services are vocabulary: all may use them, they use no folder.
      else if (into === undefined || from === into) continue
      else if (from === undefined || SERVICES.indexOf(into) > SERVICES.indexOf(from))
        wrong.push(`${file.path} imports ${to}`)
    }
    expect(wrong).toEqual([])
  })

  it('keeps the folders of replication in their declared order', () => {
    const folderOf = (path: string): string | undefined => /^services\/replication\/([^/]+)\//.exec(path)?.[1]
    const inside = program.filter((file) => file.path.startsWith('services/replication/'))
    const strays = inside
      .map((file) => file.path)
      .filter((path) => !REPLICATION.includes(folderOf(path) ?? ''))
    expect(strays).toEqual([])
    const wrong = [...edges()]
      .filter(({ file, to }) => {
        const [from, into] = [folderOf(file.path), folderOf(to)]
        return (
          from !== undefined && into !== undefined && REPLICATION.indexOf(into) > REPLICATION.indexOf(from)
        )
      })
      .map(({ file, to }) => `${file.path} imports ${to}`)
    expect(wrong).toEqual([])
  })

  it('declares every folder of services', () => {
    const folders = new Set(
      program.filter((file) => layerOf(file.path) === 'services').map((f) => serviceOf(f.path)),
    )
    expect([...folders].filter((folder) => folder !== undefined && !SERVICES.includes(folder))).toEqual([])
  })

  it('declares no folder of services that is not there', () => {
    const folders = new Set(
      program.filter((file) => layerOf(file.path) === 'services').map((f) => serviceOf(f.path)),
    )
    expect(SERVICES.filter((folder) => !folders.has(folder))).toEqual([])
  })

  it('keeps SQL out of services: they call the functions of storage/tables', () => {
    const services = program.filter((file) => layerOf(file.path) === 'services')
    const wrong = services.flatMap((file) => [
      ...file.imports
        .filter(({ specifier, clause }) => {
          if (target(file.path, specifier) !== 'storage/tx.ts' || /^type\b/.test(clause)) return false
          return clause.split(/[{},]/).some((name) => name.trim() !== '' && !/^\s*type\b/.test(name))
        })
        .map(({ clause }) => `${file.path} imports ${clause} from storage/tx.js`),
      ...[...codeOf(file.text).matchAll(SQL)].map(([words]) => `${file.path}: ${words}`),
    ])
    expect(wrong).toEqual([])
    expect([...'run(`UPDATE rooms SET rev = 1`)'.matchAll(SQL)]).toHaveLength(1)
  })

  it('has a core that imports nothing but two functions of node:crypto', () => {
    const wrong = program
      .filter((file) => layerOf(file.path) === 'core')
      .flatMap((file) => file.imports.map((one) => ({ path: file.path, ...one })))
      .filter(({ specifier, clause }) => {
        if (specifier.startsWith('.')) return false
        const names = clause.replace(/[{}]/g, '').split(',')
        const allowed = names.every((name) => ['createHash', 'timingSafeEqual', ''].includes(name.trim()))
        return specifier !== 'node:crypto' || clause === '' || !allowed
      })
      .map(({ path, specifier, clause }) => `${path} imports ${clause} from ${specifier}`)
    expect(wrong).toEqual([])
  })

  it('has a core without clock, randomness, waiting or environment', () => {
    const impure =
      /\basync\b|\bawait\b|\bPromise\b|\bDate\b|Math\.random|\bset(Timeout|Interval|Immediate)\b|\bprocess\.|\bfetch\(/
    const wrong = program
      .filter((file) => layerOf(file.path) === 'core')
      .flatMap((file) => {
        const found = impure.exec(codeOf(file.text))
        return found === null ? [] : [`${file.path}: ${found[0]}`]
      })
    expect(wrong).toEqual([])
  })

  it('has no two files that import each other, however far around', () => {
    const graph = new Map<string, string[]>(program.map((file) => [file.path, []]))
    for (const { file, to } of edges()) graph.get(file.path)?.push(to)
    const done = new Set<string>()
    const cycles: string[] = []
    function visit(path: string, trail: readonly string[]): void {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      else if (!done.has(path)) {
        for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
        done.add(path)
      }
    }
    for (const path of graph.keys()) visit(path, [])
    expect(cycles).toEqual([])
  })

  it(`has no file of ${MAX_LINES} lines or more`, () => {
    const long = program.filter((file) => file.text.split('\n').length > MAX_LINES).map((file) => file.path)
    expect(long).toEqual([])
  })

  it('imports files by their compiled name', () => {
    const wrong = [...edges()].filter(
      ({ file, to }) => !files.some((known) => known.path === to) && file !== undefined,
    )
    expect(wrong.map(({ file, to }) => `${file.path} imports ${to}, which is not there`)).toEqual([])
  })
})
