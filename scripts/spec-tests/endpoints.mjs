/** docs/endpoints.md: what of the specification this server has, from the route table and the results of spec-tests. */

/**
 * @param routes the route table of the server
 * @param results `spec-tests/results.json`
 */
export function endpointsPage(routes, results) {
  const tests = new Map()
  for (const operation of results.operations) {
    const key = `${operation.method} ${shape(operation.path)}`
    tests.set(key, [...(tests.get(key) ?? []), operation])
  }
  const rows = []
  for (const { id, method, paths } of routes) {
    const path = paths[0]
    if (!path.startsWith('/_matrix/') && !path.startsWith('/.well-known/')) continue
    const ofPath = paths.map((one) => tests.get(`${method} ${shape(one)}`)).find((one) => one !== undefined)
    // Where two operations share a route, it has the name of one of them.
    const found = ofPath?.find((operation) => operation.id === id) ?? ofPath?.[0]
    rows.push({ id: found?.id ?? id, method, path, found })
  }
  const isServer = ({ path }) => /^\/(_matrix\/(federation|key)|\.well-known\/matrix\/server)/.test(path)
  const client = rows.filter((row) => !isServer(row)).sort(byPath)
  const server = rows.filter(isServer).sort(byPath)
  const count = (list, state) => list.filter((row) => status(row.found) === state).length
  const missing = results.missing.filter(
    ({ method, path }) => !rows.some((row) => row.method === method && shape(row.path) === shape(path)),
  )
  return `# Endpoints

Made by \`node scripts/generated.mjs --write\` from the route table and \`spec-tests/results.json\`, which
\`npm run spec-tests -- --write\` writes. Do not edit.

- **tested**: a test from outside has seen the operation succeed, and it passed.
- **not offered**: the server gives the refusal that the specification has for servers without it, and a test has seen that.
- **untested**: it has a route, and no passing test from outside of its success. Tests beside the code are not counted.

The numbers are of passing tests from outside: of success, of errors, of authorisation.

## Client-server

${client.length} operations: ${count(client, 'tested')} tested, ${count(client, 'not offered')} not offered, ${count(client, 'untested')} untested; ${missing.length} of the specification have no route.

${table(client)}
${missing.length === 0 ? '' : `\nWithout a route:\n\n${missing.map(({ id, method, path }) => `- ${id}: ${method} \`${path}\``).join('\n')}\n`}
## Server-server

${server.length} operations: ${count(server, 'tested')} tested, ${count(server, 'not offered')} not offered, ${count(server, 'untested')} untested. What servers do with each other beyond one
operation is tested in \`spec-tests/server-server\`, which does not count here.

${table(server)}
`
}

const shape = (path) => path.replaceAll(/\{[^}]*\}/g, '{}').replace(/(?<=.)\/$/, '')
const byPath = (a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.method < b.method ? -1 : 1)

function status(found) {
  if (found === undefined) return 'untested'
  return found.success > 0 ? 'tested' : found.notOffered > 0 ? 'not offered' : 'untested'
}

function table(rows) {
  const lines = rows.map(({ id, method, path, found }) => {
    const numbers = found === undefined ? '' : `${found.success}, ${found.error}, ${found.authorisation}`
    return `| ${method} | \`${path}\` | ${id} | ${status(found)} | ${numbers} |`
  })
  return ['| method | path | operation | status | tests |', '| --- | --- | --- | --- | --- |', ...lines].join(
    '\n',
  )
}
