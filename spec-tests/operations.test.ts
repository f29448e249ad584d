import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { allRoutes } from '../src/server.js'

/**
 * The specification's operations that a homeserver serves, as a table kept beside the project; CHANCERY_OPERATIONS names
 * another place. Columns by name: api, method, path, operationId, role.
 */
const TABLE =
  process.env['CHANCERY_OPERATIONS'] ?? fileURLToPath(new URL('../../shared/endpoints.tsv', import.meta.url))

interface Operation {
  readonly api: string
  readonly method: string
  readonly path: string
  readonly id: string
}

function readOperations(): Operation[] {
  const [head, ...lines] = readFileSync(TABLE, 'utf8').trimEnd().split('\n')
  const names = head!.split('\t')
  const column = (line: readonly string[], name: string): string => line[names.indexOf(name)] ?? ''
  return lines
    .map((line) => line.split('\t'))
    .filter((line) => column(line, 'role') === 'serve')
    .map((line) => ({
      api: column(line, 'api'),
      method: column(line, 'method'),
      path: column(line, 'path').trim(),
      id: column(line, 'operationId'),
    }))
}

/** Parameter names are nobody's business. */
const shape = (path: string): string => path.replaceAll(/\{[^}]*\}/g, '{}')
const routed = new Set(
  allRoutes.flatMap((route) => route.paths.map((path) => `${route.method} ${shape(path)}`)),
)

describe('the route table', () => {
  it('names each path and method once', () => {
    const all = allRoutes.flatMap((route) => route.paths.map((path) => `${route.method} ${shape(path)}`))
    expect(all.filter((entry, i) => all.indexOf(entry) !== i)).toEqual([])
  })

  const there = existsSync(TABLE)
  if (!there) console.log(`the table of operations is not at ${TABLE}: the comparison is skipped`)
  ;(there ? it : it.skip)('covers the operations of the specification that it should by now', () => {
    const operations = readOperations()
    const served = operations.filter((operation) =>
      routed.has(`${operation.method} ${shape(operation.path)}`),
    )
    const byApi = new Map<string, string>()
    for (const api of new Set(operations.map((operation) => operation.api))) {
      const of = (list: readonly Operation[]): number =>
        list.filter((operation) => operation.api === api).length
      byApi.set(api, `${of(served)} of ${of(operations)}`)
    }
    console.log(
      `operations served: ${served.length} of ${operations.length} (${[...byApi].map(([api, count]) => `${api} ${count}`).join(', ')})`,
    )
    // May only rise.
    expect(served.length).toBeGreaterThanOrEqual(SERVED_AT_LEAST)
  })
})

const SERVED_AT_LEAST = 200
