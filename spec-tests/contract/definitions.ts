import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { isObject, type Json, type JsonObject } from './json.js'

/** Where the specification's API definitions lie; CHANCERY_SPEC_DATA names another place. */
export const SPEC_DATA =
  process.env['CHANCERY_SPEC_DATA'] ?? fileURLToPath(new URL('../../../shared/spec/data', import.meta.url))

/** One operation of the definitions. */
export interface Operation {
  readonly id: string
  readonly api: string
  readonly method: string
  /** Without a slash at its end; parameters in braces. */
  readonly path: string
  readonly segments: readonly string[]
  readonly deprecated: boolean
  readonly tag: string
  /** The JSON schema of the answer for each status; `undefined` where the body is no JSON. References are resolved. */
  readonly responses: ReadonlyMap<number, JsonObject | undefined>
}

export interface Definitions {
  /** The operations that a request can mean: two where one path is described twice. Literal segments win over parameters. */
  operationsFor(method: string, path: string): readonly Operation[]
  /** Reads everything. */
  all(): readonly Operation[]
}

interface Place {
  readonly file: string
  readonly api: string
  /** As written in the file. */
  readonly key: string
  readonly segments: readonly string[]
}

const APIS = ['client-server', 'server-server'] as const
const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'options'] as const

export function segmentsOf(path: string): string[] {
  const segments = path.trim().split('/').slice(1)
  return segments.at(-1) === '' ? segments.slice(0, -1) : segments
}
const isParameter = (segment: string): boolean => segment.startsWith('{')

function matches(template: readonly string[], path: readonly string[]): boolean {
  return (
    template.length === path.length &&
    template.every((segment, i) => isParameter(segment) || segment === path[i])
  )
}

/** What only describes, and what a validator has no use for. */
const PROSE = new Set(['description', 'example', 'examples', 'title', 'summary', 'deprecated', 'default'])
/** First characters of identifiers: the definitions name these formats without saying more. */
const FORMATS: Readonly<Record<string, string>> = {
  'mx-user-id': '^@.+:.+',
  'mx-room-id': '^!.+',
  'mx-room-alias': '^#.+:.+',
  'mx-event-id': '^\\$.+',
  'mx-mxc-uri': '^mxc://[^/]+/[^/]+',
  'mx-unpadded-base64': '^[A-Za-z0-9+/]*$',
  'mx-urlsafe-unpadded-base64': '^[A-Za-z0-9_-]*$',
}

/** Resolves references into other files; what refers to itself becomes "anything" at the second turn. */
function createResolver(): (file: string, node: Json, root: Json) => Json {
  const files = new Map<string, Json>()
  const read = (file: string): Json => {
    let value = files.get(file)
    if (value === undefined) files.set(file, (value = parse(readFileSync(file, 'utf8')) as Json))
    return value
  }
  const at = (root: Json, pointer: string): Json => {
    let value = root
    for (const part of pointer.split('/').slice(1)) {
      value = isObject(value) ? (value[part.replaceAll('~1', '/').replaceAll('~0', '~')] ?? {}) : {}
    }
    return value
  }

  function walk(file: string, node: Json, root: Json, open: readonly string[], names: boolean): Json {
    if (Array.isArray(node)) return node.map((item) => walk(file, item, root, open, false))
    if (!isObject(node)) return node
    const ref = node['$ref']
    if (typeof ref === 'string' && !names) {
      const [name = '', pointer = ''] = ref.split('#')
      const target = name === '' ? file : resolve(dirname(file), name)
      const key = `${target}#${pointer}`
      if (open.includes(key)) return {}
      const there = name === '' ? root : read(target)
      return walk(target, at(there, pointer), there, [...open, key], false)
    }
    const out: JsonObject = {}
    for (const [key, value] of Object.entries(node)) {
      // Below `properties` stand names, which may be called `description`.
      if (!names && (PROSE.has(key) || key.startsWith('x-'))) continue
      if (!names && key === 'format') {
        const pattern = typeof value === 'string' ? FORMATS[value] : undefined
        if (pattern !== undefined && node['pattern'] === undefined) out['pattern'] = pattern
        continue
      }
      out[key] = walk(
        file,
        value,
        root,
        open,
        !names && (key === 'properties' || key === 'patternProperties'),
      )
    }
    return out
  }
  return (file, node, root) => walk(file, node, root, [], false)
}

function responsesOf(responses: Json): Map<number, JsonObject | undefined> {
  const found = new Map<number, JsonObject | undefined>()
  if (!isObject(responses)) return found
  for (const [status, response] of Object.entries(responses)) {
    const content = isObject(response) ? response['content'] : undefined
    const json = isObject(content) ? content['application/json'] : undefined
    const schema = isObject(json) ? json['schema'] : undefined
    found.set(Number(status), isObject(schema) ? schema : undefined)
  }
  return found
}

/** Gives undefined where the definitions are absent. */
export function loadDefinitions(folder: string = SPEC_DATA): Definitions | undefined {
  if (!existsSync(join(folder, 'api', 'client-server'))) return undefined
  const places: Place[] = []
  for (const api of APIS) {
    const from = join(folder, 'api', api)
    if (!existsSync(from)) continue
    for (const name of readdirSync(from).filter((entry) => entry.endsWith('.yaml'))) {
      const file = join(from, name)
      const text = readFileSync(file, 'utf8')
      const base = /basePath:\s*\n\s+default: (\S+)/.exec(text)?.[1] ?? ''
      for (const [, quoted] of text.matchAll(/^ {2}("?\/[^\n]*"?):\s*$/gm)) {
        const key = quoted!.replaceAll('"', '')
        places.push({ file, api, key, segments: segmentsOf(base + key) })
      }
    }
  }

  const resolveIn = createResolver()
  const documents = new Map<string, JsonObject>()
  const operations = new Map<Place, readonly Operation[]>()

  function operationsAt(place: Place): readonly Operation[] {
    const known = operations.get(place)
    if (known !== undefined) return known
    let document = documents.get(place.file)
    if (document === undefined) {
      document = parse(readFileSync(place.file, 'utf8')) as JsonObject
      documents.set(place.file, document)
    }
    const paths = document['paths'] as JsonObject
    const item = paths[place.key]
    const found: Operation[] = []
    for (const method of METHODS) {
      const raw = isObject(item) ? item[method] : undefined
      if (!isObject(raw)) continue
      const tags = raw['tags']
      found.push({
        id: raw['operationId'] as string,
        api: place.api,
        method: method.toUpperCase(),
        path: `/${place.segments.join('/')}`,
        segments: place.segments,
        deprecated: raw['deprecated'] === true,
        tag: Array.isArray(tags) ? (tags[0] as string) : '',
        responses: responsesOf(resolveIn(place.file, raw['responses'] ?? {}, document)),
      })
    }
    operations.set(place, found)
    return found
  }

  return {
    operationsFor(method, path) {
      const segments = segmentsOf(path)
      const fitting = places
        .filter((place) => matches(place.segments, segments))
        .flatMap((place) => operationsAt(place))
        .filter((operation) => operation.method === method)
      const parameters = (operation: Operation): number => operation.segments.filter(isParameter).length
      const least = Math.min(...fitting.map(parameters))
      return fitting.filter((operation) => parameters(operation) === least)
    },
    all: () => places.flatMap(operationsAt),
  }
}
