/**
 * node scripts/web-client.mjs --client DIR [--screenshots DIR] [--chromium /usr/bin/chromium]
 *
 * Drives a built Cinny (its `dist` folder) in headless Chromium: two people on two nodes log in, one creates an encrypted room
 * and invites the other; both must see the decrypted text and the picture of the other in the page, typing and receipts; one logs in
 * on a second device, verifies it, and reads there what was said before. Nothing of the client is part of
 * this repository. Prints a line for each step and ends with `N passed, N failed`.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { registerOrLogIn } from './demo/client.mjs'
import { startTwoNodes } from './demo/two-nodes.mjs'
import { giveUp, prepare } from './prepare.mjs'
import * as cinny from './web-client/cinny.mjs'
import { serveClient } from './web-client/static-server.mjs'

const USAGE = 'Usage: node scripts/web-client.mjs --client DIR [--screenshots DIR] [--chromium PATH]'
const STEP_MS = 60_000
const PICTURE = { width: 480, height: 300 }
const DRAWING = `<svg xmlns="http://www.w3.org/2000/svg" width="${PICTURE.width}" height="${PICTURE.height}">
  <rect width="100%" height="100%" fill="#f4f1e8"/>
  <path d="M60 40V250H440" stroke="#333" stroke-width="4" fill="none"/>
  <g fill="#27a"><path d="M90 250V190h60v60zM190 250V150h60v100zM290 250V110h60v140z"/></g>
  <circle cx="400" cy="70" r="26" fill="#c33"/>
</svg>`

const { values } = parseArgs({
  options: {
    client: { type: 'string' },
    screenshots: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
})
if (values.client === undefined) giveUp(USAGE, 2)
const folder = resolve(values.client)
if (!existsSync(join(folder, 'index.html')))
  giveUp(`${folder} holds no built client (index.html).\n${USAGE}`, 2)
if (!existsSync(values.chromium))
  giveUp(`${values.chromium} is not there. Debian: apt-get install chromium`, 2)
if (values.screenshots !== undefined) mkdirSync(values.screenshots, { recursive: true })

/** A profile of its own for each person; nothing is asked of the network beyond this machine. */
async function openBrowser(chromium, profile) {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: values.chromium,
    headless: true,
    viewport: { width: 1280, height: 800 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  context.setDefaultTimeout(STEP_MS)
  return context
}

prepare()
const { chromium } = await import('playwright-core')
const { default: sharp } = await import('sharp')
const scratch = mkdtempSync(join(tmpdir(), 'chancery-web-client-'))
/** @type {(() => Promise<void>)[]} What must end, in the order of beginning. */
const closers = [async () => rmSync(scratch, { recursive: true, force: true })]
const people = []
let passed = 0
let failed = 0
let shots = 0

/** The page of a new browser; `device` names it in the log. */
async function newPage(device) {
  const context = await openBrowser(chromium, join(scratch, device))
  closers.push(() => context.close())
  const page = context.pages()[0] ?? (await context.newPage())
  if (process.env.CHANCERY_BROWSER_LOG !== undefined) {
    page.on('console', (message) => console.error(`${device}: ${message.text()}`))
  }
  return page
}

async function step(what, action) {
  try {
    await action()
    passed += 1
    console.log(`pass ${what}`)
  } catch (error) {
    failed += 1
    console.log(`fail ${what}\n${error.message}`)
    throw error
  } finally {
    shots += 1
    if (values.screenshots !== undefined) {
      const name = `${String(shots).padStart(2, '0')}-${what.replaceAll(/[^a-z]+/gi, '-')}`
      for (const { page, device } of people) {
        const path = join(values.screenshots, `${name}-${device}.png`)
        await page.screenshot({ path }).catch((error) => console.error(`no screenshot: ${error.message}`))
      }
    }
  }
}

try {
  const { nodes, dispose } = await startTwoNodes()
  closers.push(dispose)
  for (const [i, username] of ['alice', 'camille'].entries()) {
    const { url } = nodes[i].ministry
    const password = 'a good password'
    const session = await registerOrLogIn(url, username, password)
    await session.ok('POST', '/logout')
    const site = await serveClient(folder, cinny.config(url))
    closers.push(() => site.close())
    const phrase = 'a-phrase-of-her-own'
    const person = { username, userId: session.userId, password, phrase, homeserver: url, client: site.url }
    people.push({ ...person, device: username, page: await newPage(username) })
  }
  const [alice, camille] = people
  const picture = join(scratch, 'plan.png')
  await sharp(Buffer.from(DRAWING)).png().toFile(picture)

  await step('alice logs in on finances', () => cinny.logIn(alice.page, alice))
  await step('camille logs in on interieur', () => cinny.logIn(camille.page, camille))
  await step('alice creates an encrypted room', () => cinny.createEncryptedRoom(alice.page, 'Joint budget'))
  await step('alice invites camille', () => cinny.invite(alice.page, camille.userId))
  await step('camille accepts', () => cinny.acceptInvitation(camille.page, camille.client, 'Joint budget'))
  await step('camille reads what alice says', async () => {
    await cinny.say(alice.page, 'Good morning from finances')
    await cinny.sees(camille.page, 'Good morning from finances')
  })
  await step('alice reads what camille says', async () => {
    await cinny.say(camille.page, 'Good morning from interieur')
    await cinny.sees(alice.page, 'Good morning from interieur')
  })
  await step('the picture of alice is painted at camille', async () => {
    await cinny.sendPicture(alice.page, picture)
    await cinny.seesPicture(camille.page, PICTURE)
  })
  await step('alice sees that camille types', () =>
    cinny.hesitate(camille.page, () => cinny.seesTyping(alice.page, 'camille')),
  )
  await step('alice sees that camille has read', () => cinny.seesReader(alice.page, 'camille'))
  await step('alice makes the keys that vouch for her devices', () =>
    cinny.setUpCrossSigning(alice.page, alice),
  )
  await step('alice logs in on a second device', async () => {
    people.push({ ...alice, device: 'alice-2', page: await newPage('alice-2') })
    await cinny.logIn(people[2].page, alice)
  })
  const second = people[2]
  await step('alice verifies it by emoji', () => cinny.verifyByEmoji(alice.page, second.page, alice))
  await step('the second device restores the keys of messages', async () => {
    // One of what each of the two has said.
    await keysInBackup(alice, 2)
    await cinny.restoreBackup(second.page, alice)
  })
  await step('the second device reads what was said before it was there', async () => {
    await cinny.openRoom(second.page, 'Joint budget')
    await cinny.sees(second.page, 'Good morning from finances')
    await cinny.sees(second.page, 'Good morning from interieur')
    await cinny.seesPicture(second.page, PICTURE)
  })
  await step('every message on the server is encrypted', () => nothingSaidInClear(alice, 'Joint budget'))
} catch (error) {
  if (failed === 0) failed = 1
  console.error(error.stack)
} finally {
  for (const close of closers.reverse()) await close()
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/** Waits until the backup on the server holds as many keys. */
async function keysInBackup({ homeserver, username, password }, count) {
  const session = await registerOrLogIn(homeserver, username, password)
  const until = Date.now() + STEP_MS
  let backup = await session.ok('GET', '/room_keys/version')
  while (backup.count < count) {
    if (Date.now() > until) throw new Error(`the backup holds ${backup.count} keys`)
    await new Promise((resolve) => setTimeout(resolve, 500))
    backup = await session.ok('GET', '/room_keys/version')
  }
  await session.ok('POST', '/logout')
}

/** Looks at the room through the API: every message in it is encrypted, and there are three. */
async function nothingSaidInClear({ homeserver, username, password }, name) {
  const session = await registerOrLogIn(homeserver, username, password)
  const { joined_rooms: rooms } = await session.ok('GET', '/joined_rooms')
  const types = []
  for (const room of rooms) {
    const { chunk } = await session.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=100`)
    if (!chunk.some((event) => event.type === 'm.room.name' && event.content.name === name)) continue
    types.push(
      ...chunk.map((event) => event.type).filter((type) => /^m\.room\.(message|encrypted)$/.test(type)),
    )
  }
  await session.ok('POST', '/logout')
  if (types.length !== 3 || types.includes('m.room.message')) throw new Error(`seen: ${types.join(', ')}`)
}
