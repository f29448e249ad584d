/** What jest tells of the tests of operations, by operation. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from '../prepare.mjs'
import { isLacking } from './deviations.mjs'

const KINDS = {
  success: 'success',
  error: 'error',
  authorisation: 'authorisation',
  'not offered': 'notOffered',
}
const byId = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.path < b.path ? -1 : 1)

/** `limited`: the server would have had it wait longer than it may. */
const outcomeOf = (status, message) =>
  status === 'passed'
    ? 'passed'
    : status !== 'failed'
      ? 'skipped'
      : message.includes('LimitedError')
        ? 'limited'
        : 'failed'

/**
 * @param only the regular expression for names that jest was given: it reports the tests that it left out as skipped
 *
 * Gives `{ operations }`: each with `id`, `method`, `path`, `section`, `tests` (kind, name, outcome, message, seconds), the counts of tests
 * that passed by kind, and `lacks`: whether the server answered that there is no such operation.
 */
export function collect(report, only) {
  const wanted = new RegExp(only ?? '', 'i')
  const operations = new Map()
  for (const { assertionResults } of report.testResults) {
    for (const { ancestorTitles, title, status, failureMessages, duration } of assertionResults) {
      const [section, operation] = ancestorTitles
      if (operation === undefined || !wanted.test([...ancestorTitles, title].join(' '))) continue
      const [id, method, path] = operation.split(' ')
      const key = `${id} ${method} ${path}`
      if (!operations.has(key)) operations.set(key, { id, method, path, section, tests: [] })
      const colon = title.indexOf(': ')
      operations.get(key).tests.push({
        kind: title.slice(0, colon),
        name: title.slice(colon + 2),
        outcome: outcomeOf(status, failureMessages.join('\n')),
        message: failureMessages.join('\n'),
        seconds: (duration ?? 0) / 1_000,
      })
    }
  }
  const list = [...operations.values()].sort(byId)
  for (const operation of list) {
    operation.lacks = operation.tests.some(isLacking)
    operation.counts = { success: 0, error: 0, authorisation: 0, notOffered: 0 }
    for (const { kind, outcome } of operation.tests)
      if (outcome === 'passed' && KINDS[kind] !== undefined) operation.counts[KINDS[kind]] += 1
  }
  return { operations: list }
}

/** Some operations have the same name between servers. */
const isServer = (path) => /^\/(_matrix\/(federation|key)\/|\.well-known\/matrix\/server$)/.test(path)

/** The operations of the client-server API's definitions that have no test; undefined where the definitions are absent. */
export function untested({ operations }) {
  const data = process.env['CHANCERY_SPEC_DATA'] ?? join(ROOT, '..', 'shared', 'spec', 'data')
  const folder = join(data, 'api', 'client-server')
  if (!existsSync(folder)) return undefined
  const tested = new Set(operations.filter(({ path }) => !isServer(path)).map(({ id }) => id))
  const found = []
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.yaml'))) {
    const document = parse(readFileSync(join(folder, name), 'utf8'))
    const base = document.servers?.[0]?.variables?.basePath?.default ?? ''
    for (const [path, item] of Object.entries(document.paths ?? {})) {
      for (const method of ['get', 'put', 'post', 'delete']) {
        const id = item[method]?.operationId
        if (id !== undefined && !tested.has(id))
          found.push({ id, method: method.toUpperCase(), path: (base + path).trim() })
      }
    }
  }
  return found.sort(byId)
}
