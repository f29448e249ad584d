/** The report for machines: one suite for each operation. */
const escape = (value) =>
  value
    // oxlint-disable-next-line no-control-regex -- XML has no place for them
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

function testCase(operation, { kind, name, outcome, message, seconds }) {
  const head = `    <testcase classname="${escape(operation.section)}.${escape(operation.id)}" name="${escape(`${kind}: ${name}`)}" time="${seconds}"`
  if (outcome === 'passed') return `${head}/>`
  if (outcome === 'skipped') return `${head}><skipped/></testcase>`
  if (outcome === 'deviates') return `${head}><skipped message="deviates as expected"/></testcase>`
  if (outcome === 'limited')
    return `${head}><error message="cut short by a limit of the rate of requests">${escape(message)}</error></testcase>`
  return `${head}><failure message="${escape(message.split('\n')[0] ?? '')}">${escape(message)}</failure></testcase>`
}

export function junit({ operations }) {
  const suites = operations.map((operation) => {
    const of = (outcome) => operation.tests.filter((test) => test.outcome === outcome).length
    const name = `${operation.section}: ${operation.id} ${operation.method} ${operation.path}`
    return [
      `  <testsuite name="${escape(name)}" tests="${operation.tests.length}" failures="${of('failed')}" errors="${of('limited')}" skipped="${of('skipped') + of('deviates')}">`,
      ...operation.tests.map((test) => testCase(operation, test)),
      '  </testsuite>',
    ].join('\n')
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`
}
