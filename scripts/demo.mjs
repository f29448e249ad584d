/**
 * npm run demo [-- --data DIR] [--base-port N] [--walk] [--ca FILE]
 *
 * Three ministries and a node for guests on this machine, each with its own process, database, key and TLS certificate, federating over HTTPS as a circle: by one
 * signed list of nodes. DIR (default ./data/demo) keeps everything; the next start goes on with it. Client APIs are on N, N+10, N+20 and N+30 (default 8008),
 * federation on N+440 to N+470, everybody's mail on N+40. Ctrl-C ends all. Registration at the ministries is open and nothing is limited: it is a demo.
 * --walk plays the walk through it, checks it, and ends; --ca trusts a further authority, so that another homeserver can stand beside: then there is no circle,
 * and no node for guests. DIR/ca.crt is the demo's own authority.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { clamdProgram, startClamd } from './clamd.mjs'
import { openAuthority } from './demo/certificates.mjs'
import { openMailbox } from './demo/mailbox.mjs'
import { isTaken, prepareMinistry } from './demo/ministry.mjs'
import { memberOf, openAdministration } from './demo/node-list.mjs'
import { circleSettings, FEDERATION_OFFSET, MAIL_OFFSET, MAILBOX_OFFSET, NODES } from './demo/nodes.mjs'
import { CIRCLE_PEOPLE, populateCircle } from './demo/populate-circle.mjs'
import { PEOPLE, populate } from './demo/populate.mjs'
import { supervise } from './demo/supervise.mjs'
import { walk } from './demo/walk.mjs'
import { whenNpmEnds } from './npm-watch.mjs'
import { giveUp, prepare, ROOT } from './prepare.mjs'

const USAGE = 'Usage: npm run demo -- [--data DIR] [--base-port N] [--walk] [--ca FILE]'
const DEFAULT_PORT = 8008
/** In bytes; what the nodes let people upload is less. */
const LARGEST_FILE = 100 * 2 ** 20
const HIGHEST_BASE = 65_535 - FEDERATION_OFFSET - 30

function options() {
  try {
    const { values } = parseArgs({
      options: {
        data: { type: 'string' },
        'base-port': { type: 'string' },
        walk: { type: 'boolean', default: false },
        ca: { type: 'string' },
      },
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
    if (values.walk && furtherAuthority !== undefined)
      giveUp(`--walk goes through the circle, which there is not with --ca.\n${USAGE}`, 2)
    const data = resolve(values.data ?? join(ROOT, 'data', 'demo'))
    return { data, basePort, furtherAuthority, isWalk: values.walk }
  } catch (error) {
    return giveUp(`${error.message}\n${USAGE}`, 2)
  }
}

/** What must be the same at every start: the ports (they are in the servers' names) and the passwords. */
function openMemory(data, basePort) {
  const file = join(data, 'demo.json')
  const memory = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { basePort: basePort ?? DEFAULT_PORT }
  if (basePort !== undefined && memory.basePort !== basePort) {
    giveUp(
      `${data} was made with --base-port ${memory.basePort}, and a server's name cannot change. Use another folder: --data DIR`,
      2,
    )
  }
  memory.passwords ??= {}
  for (const { username } of [...PEOPLE, ...CIRCLE_PEOPLE]) memory.passwords[username] ??= newPassword()
  memory.secret ??= randomBytes(24).toString('base64url')
  memory.sequence ??= 0
  memory.walks ??= 0
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

function printTable(ministries, memory, data, mailbox) {
  const servers = [...ministries.values()].map(({ name, url, serverName }) => [
    name,
    url,
    serverName,
    join(data, name),
  ])
  const people = [...PEOPLE, ...(mailbox === undefined ? [] : CIRCLE_PEOPLE)].map((person) => {
    const { ministry, username, note = '' } = person
    const { url, serverName } = ministries.get(ministry)
    return [`@${username}:${serverName}`, username, memory.passwords[username], url, note]
  })
  const circle =
    mailbox === undefined
      ? ''
      : `#guests:${ministries.get('finances').serverName} (for people from outside too).
Mail to everybody: ${mailbox.url}
The list of the nodes, signed anew at each start: ${join(data, 'node-list.json')}
`
  console.log(`
${table([['ministry', 'homeserver (for clients)', 'server name', 'folder'], ...servers])}

${table([['user', 'username', 'password', 'homeserver', ''], ...people])}

Rooms: ${memory.rooms.forum} (public, not encrypted), ${memory.rooms.encrypted} (encrypted, everybody is in)${circle === '' ? '.' : ', '}
${circle}The authority that other servers must trust: ${join(data, 'ca.crt')}
Ctrl-C ends all; the next start goes on where this one ends.
`)
}

/** clamd where it is installed; a program of the demo's own otherwise, and where it does not start. */
async function scannerIn(folder) {
  if (clamdProgram() === undefined) return undefined
  mkdirSync(folder, { recursive: true })
  return startClamd({ folder, streamMaxLength: LARGEST_FILE }).catch((error) => {
    console.log(`clamd does not start, so a small program looks at files: ${error.message.split('\n', 1)[0]}`)
    return undefined
  })
}

const { data, basePort, furtherAuthority, isWalk } = options()
prepare()
mkdirSync(data, { recursive: true, mode: 0o700 })
const { memory, save } = openMemory(data, basePort)
const authority = await openAuthority(data)
const isCircle = furtherAuthority === undefined

const running = []
let mailbox
let clamd
let stopping = false
async function stop(code) {
  if (stopping) return
  stopping = true
  await Promise.all(running.map((node) => node.stop()))
  await Promise.all([mailbox?.close(), clamd?.close()])
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!stopping) console.log('stopping the ministries')
    void stop(0)
  })
}
whenNpmEnds(() => void stop(0))

const portAt = (offset) => memory.basePort + offset
const nodes = isCircle ? NODES : NODES.filter(({ role }) => role !== 'external')

async function claimPorts() {
  const offsets = nodes.flatMap(({ offset }) => [offset, offset + FEDERATION_OFFSET])
  for (const offset of isCircle ? [...offsets, MAILBOX_OFFSET, MAIL_OFFSET] : offsets)
    if (await isTaken(portAt(offset))) throw new Error(`something listens on port ${portAt(offset)} already`)
}

/** What each node is told of the circle, by the node. */
async function openCircle() {
  const administration = await openAdministration(data)
  mailbox = await openMailbox({
    mailPort: portAt(MAIL_OFFSET),
    pagePort: portAt(MAILBOX_OFFSET),
    say: (line) => console.log(line),
  })
  clamd = await scannerIn(join(data, 'clamd'))
  const serverName = (name) =>
    `localhost:${portAt(NODES.find((node) => node.name === name).offset + FEDERATION_OFFSET)}`
  return {
    administration,
    settingsOf: (node) =>
      circleSettings(node, {
        nodeList: administration.nodeList,
        mailPort: portAt(MAIL_OFFSET),
        registerUrl: `http://localhost:${portAt(NODES.find(({ role }) => role === 'external').offset)}`,
        clamd,
        secret: memory.secret,
        peer: serverName(node.name === 'interieur' ? 'finances' : 'interieur'),
      }),
  }
}

async function startAll() {
  const circle = isCircle ? await openCircle() : undefined
  const ministries = new Map()
  for (const node of nodes) {
    const clientPort = portAt(node.offset)
    const ministry = await prepareMinistry({
      name: node.name,
      folder: join(data, node.name),
      clientPort,
      federationPort: clientPort + FEDERATION_OFFSET,
      authority,
      furtherAuthority,
      settings: circle?.settingsOf(node),
    })
    ministries.set(node.name, ministry)
  }
  if (circle !== undefined) {
    memory.sequence += 1
    save()
    const members = nodes.map((node) => memberOf(ministries.get(node.name), node, authority))
    circle.administration.publish(await Promise.all(members), memory.sequence)
  }
  for (const ministry of ministries.values()) {
    console.log(`starting ${ministry.name}: ${ministry.url}`)
    const node = supervise(ministry, (line) => console.log(line))
    running.push(node)
    await node.ready
  }
  return ministries
}

try {
  await claimPorts()
  const ministries = await startAll()
  const { passwords, secret } = memory
  if (memory.rooms === undefined) {
    console.log('making users, rooms and some talk')
    memory.rooms = await populate(ministries, passwords)
    save()
  }
  if (isCircle && memory.circle !== true) {
    console.log('inviting a guest, and letting an account expire')
    await populateCircle({ ministries, passwords, secret, mailbox })
    memory.circle = true
    save()
  }
  if (!stopping) printTable(ministries, memory, data, mailbox)
  if (isWalk && !stopping) {
    memory.walks += 1
    save()
    const number = memory.walks
    await walk({ ministries, passwords, mailbox, number, say: (line) => console.log(line) })
    console.log('\nThe walk is over; all of it was as it should be.')
    await stop(0)
  }
} catch (error) {
  if (!stopping) {
    console.error(`The demo could not ${isWalk ? 'be walked through' : 'start'}: ${error.message}`)
    console.error('Other ports, with a folder of their own: npm run demo -- --base-port N --data DIR')
    await stop(1)
  }
}
