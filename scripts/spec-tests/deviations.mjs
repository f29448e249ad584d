/**
 * What a server is known to do otherwise than the tests want, so that what is new stands out. A file of YAML:
 *
 *     - operation: getDevice            # or several
 *       test: 'error: knows no device'  # as the report names it
 *       because: the sentence of the specification, and what the server does
 *     - lacks: setAdminLockUser
 *       because: …
 *     - faults: 'unknown field [^:]*: (age|user_id)$'  # of answers, a regular expression
 *       because: …
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

const CONTRACT = 'contract'
const list = (value) => (Array.isArray(value) ? value : [value])

/** Reads the file. Throws where an entry says nothing, or not why. */
export function readDeviations(path) {
  const entries = parse(readFileSync(path, 'utf8'))
  for (const entry of entries) {
    const names = entry.operation !== undefined && entry.test !== undefined
    if (
      (!names && entry.faults === undefined && entry.lacks === undefined) ||
      typeof entry.because !== 'string'
    )
      throw new Error(
        `${path}: an entry needs because, and operation and test, or lacks, or faults: ${JSON.stringify(entry)}`,
      )
  }
  return entries
}

/** Whether a test failed because the server has no such operation. */
export const isLacking = ({ message }) => message.includes('LacksError')

// oxlint-disable-next-line no-control-regex -- the colours of a terminal
const plain = (message) => message.replaceAll(/\u001b\[[0-9;]*m/g, '')
const faultsOf = ({ message }) =>
  plain(message)
    .split('\n')
    .filter((line) => line !== '' && !/^\s+at /.test(line))
    .map((line) => line.replace(/^Error: /, ''))

/**
 * Gives every failed test that the entries explain the outcome `deviates` and their reason; of answers that the definitions do not allow,
 * all faults must be explained, and those that are not stay in the message. Gives the entries that explained nothing.
 */
export function explain({ operations }, entries) {
  const used = new Set()
  const use = (entry) => {
    used.add(entry)
    return entry.because
  }
  for (const { id, tests } of operations) {
    for (const test of tests.filter(({ outcome }) => outcome === 'failed')) {
      const title = `${test.kind}: ${test.name}`
      const named = entries.find((entry) =>
        isLacking(test)
          ? list(entry.lacks).includes(id)
          : list(entry.operation).includes(id) && list(entry.test).includes(title),
      )
      if (named !== undefined) {
        test.outcome = 'deviates'
        test.because = use(named)
      } else if (test.kind === CONTRACT) {
        const left = faultsOf(test).filter((fault) => {
          const entry = entries.find(({ faults }) => faults !== undefined && new RegExp(faults).test(fault))
          if (entry !== undefined) use(entry)
          return entry === undefined
        })
        if (left.length === 0) test.outcome = 'deviates'
        else test.message = left.join('\n')
      }
    }
  }
  return entries.filter((entry) => !used.has(entry))
}
