import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml'
import { appendTo } from '../core/append-to.js'
import { check } from './check.js'
import { ConfigError, type Fault } from './fault.js'
import { asNode, type Node } from './fields.js'
import { contradictions, warnings } from './rules.js'
import { ConfigSchema, type Config, type ReadableConfig } from './schema.js'

export interface LoadSources {
  /** Variables such as `CHANCERY_TURN_SECRET`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Text of a file; throws an Error with a `code` where it cannot be read. Default: from disk. */
  readonly readFile?: (path: string) => string
  /** Looks into what the configuration names, such as files; also where something else is at fault, so that all is told at once. */
  readonly inspect?: (config: ReadableConfig) => readonly Fault[]
}

export interface Loaded {
  readonly config: Config
  /** What is allowed but seldom meant. */
  readonly warnings: readonly string[]
}

const fromDisk = (path: string): string => readFileSync(path, 'utf8')

/** Reads and checks a configuration file. Throws ConfigError with every fault found. */
export function loadConfig(file: string, sources: LoadSources): Loaded {
  const path = resolve(file)
  const readFile = sources.readFile ?? fromDisk
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new ConfigError(path, [
      {
        path: [],
        problem: `the file cannot be read (${code})`,
        remedy:
          'Name another file with `--config FILE`, or make one with `chancery generate-config --server-name NAME`.',
      },
    ])
  }
  return parseConfig(text, path, { ...sources, readFile })
}

/** As `loadConfig`, for text that is already read; `path` is where it stands or would stand. */
export function parseConfig(
  text: string,
  path: string,
  sources: LoadSources & Required<Pick<LoadSources, 'readFile'>>,
): Loaded {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    prettyErrors: false,
  })
  if (document.errors.length > 0) {
    throw new ConfigError(
      path,
      document.errors.map((error) => ({
        path: [],
        problem: `is not YAML: ${error.message}`,
        remedy: 'Sections are indented with spaces; a text with `: ` or `#` needs quotation marks.',
        line: lines.linePos(error.pos[0]).line,
      })),
    )
  }
  const folder = dirname(path)
  const faults: Fault[] = []
  const report = (fault: Fault): void => {
    const line = lineOf(document, lines, fault.path)
    faults.push(line === undefined ? fault : { ...fault, line })
  }
  const raw = toJs(document, path)
  const config = check(asNode(ConfigSchema), raw ?? {}, [], {
    folders: { file: folder, data: dataFolder(raw, folder) },
    sources: { env: sources.env, folder, readFile: sources.readFile },
    places,
    report,
  }) as Config | undefined
  contradictions(config ?? {}, [...faults]).forEach(report)
  sources.inspect?.(config ?? {}).forEach(report)
  if (faults.length > 0) throw new ConfigError(path, faults)
  return { config: freeze(config!), warnings: warnings(config!) }
}

function toJs(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown
  } catch {
    throw new ConfigError(path, [
      { path: [], problem: 'expands to too much through `*aliases`', remedy: 'Write the values out.' },
    ])
  }
}

/** Known before the rest is checked, since other paths are relative to it. */
function dataFolder(raw: unknown, folder: string): string {
  const given =
    typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>)['data_dir'] : undefined
  return resolve(folder, typeof given === 'string' ? given : '.')
}

/** The line of the longest part of the path that stands in the file. */
function lineOf(document: Document, lines: LineCounter, path: Fault['path']): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const part = path.slice(0, length)
    const parent: unknown = length === 1 ? document.contents : document.getIn(part.slice(0, -1), true)
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === part.at(-1))
      const key = pair?.key
      if (isScalar(key) && key.range) return lines.linePos(key.range[0]).line
    } else {
      const node = document.getIn(part, true) as { range?: [number, number, number] | null } | undefined
      if (node?.range) return lines.linePos(node.range[0]).line
    }
  }
  return undefined
}

function collect(node: Node, section: string, into: Map<string, string[]>): void {
  for (const branch of node.anyOf ?? []) collect(branch, section, into)
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    if (section !== '') appendTo(into, key, section)
    collect(property, section === '' ? key : `${section}.${key}`, into)
  }
}

const places: ReadonlyMap<string, readonly string[]> = (() => {
  const into = new Map<string, string[]>()
  collect(asNode(ConfigSchema), '', into)
  return into
})()

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(freeze)
  }
  return value
}
