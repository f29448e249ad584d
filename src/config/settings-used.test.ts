import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { asNode, type Node } from './fields.js'
import { ConfigSchema } from './schema.js'

/** Settings that do nothing yet, each with what it waits for. This list only shrinks. */
const NOT_YET = new Map<string, string>()

/** Settings that only loosen a rule of the configuration itself. */
const OF_THE_RULES = new Set(['registration.allow_weak_shared_secret'])

const SRC = fileURLToPath(new URL('../', import.meta.url))
const source = (path: string): string => readFileSync(`${SRC}${path}`, 'utf8')

/** Where configuration becomes options of parts: nothing else reads it. */
const readers = [
  source('server.ts'),
  // Resolves the paths under data_dir.
  source('config/load.ts'),
  ...['composition', 'cli'].flatMap((folder) =>
    readdirSync(`${SRC}${folder}`)
      // These look at files, but do not use what is in them.
      .filter((name) => !name.includes('test') && !['files-at-fault.ts', 'backup.ts'].includes(name))
      .map((name) => source(`${folder}/${name}`)),
  ),
].join('\n')

/** `federation.timeouts.join`: every setting but what stands inside lists and the budgets, which are used as a whole. */
function settings(node: Node, path: readonly string[]): string[][] {
  return Object.entries(node.properties ?? {}).flatMap(([key, property]) =>
    property.properties === undefined ? [[...path, key]] : settings(property, [...path, key]),
  )
}

/** `timeouts.join` or `{ join }`: by the name of its section, or taken out of it. */
function isRead(path: readonly string[]): boolean {
  const [section, key] = [path.at(-2), path.at(-1)]
  if (section === undefined) return new RegExp(`\\b${key}\\b`).test(readers)
  return new RegExp(`\\b${section}\\.${key}\\b|\\{[^}]*\\b${key}\\b[^}]*\\} = \\w*\\.?${section}\\b`).test(
    readers,
  )
}

describe('every setting', () => {
  const unread = settings(asNode(ConfigSchema), [])
    .filter((path) => path[0] !== 'rate_limits' && !isRead(path))
    .map((path) => path.join('.'))

  it('is read where the server is put together, or is listed as not yet done', () => {
    expect(unread.filter((setting) => !NOT_YET.has(setting) && !OF_THE_RULES.has(setting))).toEqual([])
  })

  it('that is read is not listed as undone', () => {
    expect([...NOT_YET.keys()].filter((setting) => !unread.includes(setting))).toEqual([])
  })
})
