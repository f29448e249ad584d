/** The report for people. */
const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip', deviates: 'dev ', limited: '429 ' }
const count = (tests, outcome) => tests.filter((test) => test.outcome === outcome).length

/**
 * @param missing the operations of the specification that have no test, if that is known
 * @param unused deviations that were expected of the server and did not occur
 * @param without what the server is said to be configured without
 * @param waited seconds that the tests waited for the server's limits, in all and for the requests that cost most
 */
export function text({ operations }, missing, { unused = [], waited, without = [] } = {}) {
  const lines = []
  const sections = Map.groupBy ? Map.groupBy(operations, ({ section }) => section) : grouped(operations)
  for (const [section, members] of [...sections].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const tests = members.flatMap((operation) => operation.tests)
    lines.push('', `${section}: ${count(tests, 'passed')} of ${tests.length} tests passed`)
    for (const operation of members) {
      const { id, method, path, lacks } = operation
      const failed = count(operation.tests, 'failed')
      const deviates = count(operation.tests, 'deviates') > 0
      const limited = count(operation.tests, 'limited') > 0
      const state = lacks ? 'LACKS' : failed > 0 ? 'FAIL ' : limited ? '429  ' : deviates ? 'dev  ' : 'ok   '
      const of = `${count(operation.tests, 'passed')}/${operation.tests.length}`
      lines.push(`  ${state} ${of.padStart(5)}  ${id.padEnd(34)} ${method.padEnd(6)} ${path}`)
      if (lacks) continue
      for (const { kind, name, outcome, message, because } of operation.tests) {
        if (outcome === 'passed' || outcome === 'skipped') continue
        lines.push(`        ${MARKS[outcome]} ${kind}: ${name}`)
        if (outcome === 'deviates') {
          if (because !== undefined) lines.push(`             ${because}`)
          continue
        }
        // oxlint-disable-next-line no-control-regex -- the colours of a terminal
        const plain = message.replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n')
        for (const line of plain.filter((one) => !/^\s+at /.test(one)).slice(0, 14))
          lines.push(`             ${line.slice(0, 400)}`)
      }
    }
  }
  const lacking = operations.filter(({ lacks }) => lacks)
  lines.push('', `operations that the server lacks: ${lacking.length}`)
  for (const { id, method, path } of lacking) lines.push(`  ${id} ${method} ${path}`)
  if (missing === undefined)
    lines.push(
      '',
      'the definitions are absent, or not all tests ran: whether each operation has a test is not known',
    )
  else {
    lines.push('', `operations of the specification without a test: ${missing.length}`)
    for (const { id, method, path } of missing) lines.push(`  ${id} ${method} ${path}`)
  }
  if (unused.length > 0) {
    lines.push('', `deviations that were expected and did not occur: ${unused.length}`)
    for (const { operation, test, faults } of unused) lines.push(`  ${faults ?? `${operation}: ${test}`}`)
  }
  const cut = [...sections]
    .map(([section, members]) => [section, members.flatMap(({ tests }) => tests)])
    .filter(([, tests]) => count(tests, 'limited') > 0)
  if (without.length > 0)
    lines.push('', `skipped, as the server is said to be without: ${without.join(', ')}`)
  if (waited !== undefined)
    lines.push(
      '',
      `waited because the server limits the rate of requests: ${Math.round(waited.seconds)} s in all`,
      ...waited.most.map(([request, seconds]) => `  ${Math.round(seconds)} s for ${request}`),
    )
  if (cut.length > 0)
    lines.push(
      '',
      `sections that these limits cut short: ${cut.length}. Raise the server's limits for the run, or --patience`,
      ...cut.map(
        ([section, tests]) => `  ${section}: ${count(tests, 'limited')} of ${tests.length} tests say nothing`,
      ),
    )
  const all = operations.flatMap(({ tests }) => tests)
  const contract = all.filter(({ kind }) => kind === 'contract')
  const counts = (tests) => {
    const known = count(tests, 'deviates')
    const limited = count(tests, 'limited')
    return [
      `${count(tests, 'passed')} passed`,
      `${count(tests, 'failed')} failed`,
      ...(known === 0 ? [] : [`${known} deviate as expected`]),
      ...(limited === 0 ? [] : [`${limited} cut short by limits of the rate`]),
      `${count(tests, 'skipped')} skipped`,
    ].join(', ')
  }
  lines.push(
    '',
    `${operations.length} operations; tests: ${counts(all.filter(({ kind }) => kind !== 'contract'))}`,
    ...(contract.length === 0 ? [] : [`answers of operations held to the definitions: ${counts(contract)}`]),
  )
  return lines.join('\n')
}

function grouped(operations) {
  const groups = new Map()
  for (const operation of operations)
    groups.set(operation.section, [...(groups.get(operation.section) ?? []), operation])
  return groups
}
