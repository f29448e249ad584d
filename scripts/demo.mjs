/**
 * npm run demo [-- --data DIR] [--base-port N] [--ca FILE]
 *
 * Three ministries on this machine, each with its own process, database, key and TLS certificate, federating over HTTPS.
 * DIR (default ./data/demo) keeps everything; the next start goes on with it. DIR/ca.crt is the demo's authority; --ca trusts
 * a further one, so that another homeserver can stand beside. Client APIs are on N, N+10 and N+20 (default 8008), federation
 * on N+440, N+450 and N+460. Ctrl-C ends all. Registration is open and nothing is limited: it is a demo.
 */
import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openAuthority } from './demo/certificates.mjs'
import { isTaken, prepareMinistry } from './demo/ministry.mjs'
import { PEOPLE, populate } from './demo/populate.mjs'
import { supervise } from './demo/supervise.mjs'
import { whenNpmEnds } from './npm-watch.mjs'
import { giveUp, prepare, ROOT } from './prepare.mjs'

const USAGE = 'Usage: npm run demo -- [--data DIR] [--base-port N] [--ca FILE]'
const MINISTRIES = ['finances', 'interieur', 'sante']
const DEFAULT_PORT = 8008
const FEDERATION_OFFSET = 440
const HIGHEST_BASE = 65_535 - FEDERATION_OFFSET - 20

function options() {
  try {
    const { values } = parseArgs({
      options: { data: { type: 'string' }, 'base-port': { type: 'string' }, ca: { type: 'string' } },
    })
    const basePort = values['base-port'] === undefined ? undefined : Number(values['base-port'])
    if (
      basePort !== undefined &&
      !(Number.isInteger(basePort) && basePort >= 1 && basePort <= HIGHEST_BASE)
    ) {
      giveUp(`--base-port takes a number from 1 to ${HIGHEST_BASE}.\n${USAGE}`, 2)
    }
    const furtherAuthority = values.ca === undefined ? undefined : readFileSync(values.ca, 'utf8')
    if (furtherAuthority !== undefined && !furtherAuthority.includes('-----BEGIN CERTIFICATE-----')) {
      giveUp(`${values.ca} holds no certificate in PEM.`, 2)
    }
    return { data: resolve(values.data ?? join(ROOT, 'data', 'demo')), basePort, furtherAuthority }
  } catch (error) {
    return giveUp(`${error.message}\n${USAGE}`, 2)
  }
}

/** What must be the same at every start: the ports (they are in the servers' names) and the passwords. */
function openMemory(data, basePort) {
  const file = join(data, 'demo.json')
  const memory = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : {
        basePort: basePort ?? DEFAULT_PORT,
        passwords: Object.fromEntries(PEOPLE.map(({ username }) => [username, newPassword()])),
      }
  if (basePort !== undefined && memory.basePort !== basePort) {
    giveUp(
      `${data} was made with --base-port ${memory.basePort}, and a server's name cannot change. Use another folder: --data DIR`,
      2,
    )
  }
  const save = () => {
    writeFileSync(`${file}.new`, `${JSON.stringify(memory, undefined, 2)}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  save()
  return { memory, save }
}

/** Easy to type; no letters or digits that look alike. */
function newPassword() {
  const letters = 'abcdefghkmnpqrstuvwxyz23456789'
  const part = () => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join('')
  return [part(), part(), part()].join('-')
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd()).join('\n') // prettier-ignore
}

function printTable(ministries, memory, data) {
  const servers = [...ministries.values()].map(({ name, url, serverName }) => [
    name,
    url,
    serverName,
    join(data, name),
  ])
  const people = PEOPLE.map(({ ministry, username }) => {
    const { url, serverName } = ministries.get(ministry)
    return [`@${username}:${serverName}`, username, memory.passwords[username], url]
  })
  console.log(`
${table([['ministry', 'homeserver (for clients)', 'server name', 'folder'], ...servers])}

${table([['user', 'username', 'password', 'homeserver'], ...people])}

Rooms: ${memory.rooms.forum} (public, not encrypted) and ${memory.rooms.encrypted} (encrypted, everybody is in).
The authority that other servers must trust: ${join(data, 'ca.crt')}
Ctrl-C ends all; the next start goes on where this one ends.
`)
}

const { data, basePort, furtherAuthority } = options()
prepare()
mkdirSync(data, { recursive: true, mode: 0o700 })
const { memory, save } = openMemory(data, basePort)
const authority = await openAuthority(data)

const running = []
let stopping = false
async function stop(code) {
  if (stopping) return
  stopping = true
  await Promise.all(running.map((node) => node.stop()))
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!stopping) console.log('stopping the ministries')
    void stop(0)
  })
}
whenNpmEnds(() => void stop(0))

try {
  const ministries = new Map()
  for (const [i, name] of MINISTRIES.entries()) {
    const clientPort = memory.basePort + 10 * i
    for (const port of [clientPort, clientPort + FEDERATION_OFFSET]) {
      if (await isTaken(port)) throw new Error(`something listens on port ${port} already`)
    }
    const ministry = await prepareMinistry({
      name,
      folder: join(data, name),
      clientPort,
      federationPort: clientPort + FEDERATION_OFFSET,
      authority,
      furtherAuthority,
    })
    ministries.set(name, ministry)
    console.log(`starting ${name}: ${ministry.url}`)
    const node = supervise(ministry, (line) => console.log(line))
    running.push(node)
    await node.ready
  }
  if (memory.rooms === undefined) {
    console.log('making users, rooms and some talk')
    memory.rooms = await populate(ministries, memory.passwords)
    save()
  }
  if (!stopping) printTable(ministries, memory, data)
} catch (error) {
  if (!stopping) {
    console.error(`The demo could not start: ${error.message}`)
    console.error('Other ports, with a folder of their own: npm run demo -- --base-port N --data DIR')
    await stop(1)
  }
}
