/**
 * npm start [-- --data DIR] [--port N]
 *
 * Makes the clone ready and runs one node for this machine. On the first start it makes DIR (default ./data) with a
 * configuration, a signing key, a SQLite database and an administrator, whose password it prints once. Later starts just start.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isTaken } from './demo/ministry.mjs'
import { whenNpmEnds } from './npm-watch.mjs'
import { giveUp, prepare, ROOT } from './prepare.mjs'

const USAGE = 'Usage: npm start -- [--data DIR] [--port N]'
const MAIN = join(ROOT, 'dist', 'main.js')

function options() {
  try {
    const { values } = parseArgs({ options: { data: { type: 'string' }, port: { type: 'string' } } })
    const port = values.port === undefined ? undefined : Number(values.port)
    if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
      giveUp(`--port takes a number from 1 to 65535.\n${USAGE}`, 2)
    }
    return { data: resolve(values.data ?? join(ROOT, 'data')), port }
  } catch (error) {
    return giveUp(`${error.message}\n${USAGE}`, 2)
  }
}

function chancery(...args) {
  const done = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (done.status !== 0)
    giveUp('The first start failed; the reason stands above. Mend it and run `npm start` again.')
  return done.stdout
}

/** Makes everything under another name first: an interrupted first start leaves nothing that looks complete. */
function firstStart(data, config, port) {
  const draft = `${config}.new`
  mkdirSync(data, { recursive: true, mode: 0o700 })
  if (existsSync(draft)) {
    console.log('The last first start was interrupted; this one starts over.')
    rmSync(draft)
    // No node has ever run on it: it holds at most an administrator whose password nobody has seen.
    for (const name of readdirSync(data)) if (name.startsWith('homeserver.db')) rmSync(join(data, name))
  } else if (existsSync(join(data, 'homeserver.db'))) {
    giveUp(
      `${data} holds a database, but no homeserver.yaml. Put the file back, or use another folder: --data DIR`,
    )
  }
  console.log(
    `First start: making a configuration, a signing key, a database and an administrator in ${data}`,
  )
  const url = `http://localhost:${port}`
  const made = ['--server-name', 'localhost', '--public-baseurl', url, '--port', String(port)]
  chancery('generate-config', ...made, '--local', '--output', draft)
  if (!existsSync(join(data, 'signing.key'))) chancery('generate-key', '--config', draft)
  const account = chancery(
    'register-user',
    '--config',
    draft,
    '--user',
    'admin',
    '--admin',
    '--generate-password',
  )
  renameSync(draft, config)
  console.log(`
An administrator was made. The password is not kept anywhere and not shown again:

${account.split('\n').filter((line) => /^(username|password): /.test(line)).join('\n')}

In a Matrix client, choose to sign in, and paste this as the homeserver:

${url}
`) // prettier-ignore
}

/** The address in the configuration that the first start wrote; undefined once somebody has changed it beyond recognition. */
const addressIn = (config) => /^public_baseurl: (\S+)/m.exec(readFileSync(config, 'utf8'))?.[1]

function serve(config) {
  const node = spawn(process.execPath, [MAIN, 'serve', '--config', config], { stdio: 'inherit' })
  // Ctrl-C reaches the node by itself, as it is in the same process group; a signal sent to this process alone does not.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => node.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal))
  }
  whenNpmEnds(() => node.kill('SIGTERM'))
  node.once('error', (error) => giveUp(`The node could not be started: ${error.message}`))
  node.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

const DEFAULT_PORT = 8008
const { data, port } = options()
prepare()
const config = join(data, 'homeserver.yaml')
if (!existsSync(config)) {
  const chosen = port ?? DEFAULT_PORT
  // The port stands in what the first start makes, and the password is shown once: nothing is made that cannot run.
  if (await isTaken(chosen)) {
    giveUp(`Something listens on port ${chosen} already. Take another one: npm start -- --port N`)
  }
  firstStart(data, config, chosen)
} else if (port !== undefined && addressIn(config) !== `http://localhost:${port}`) {
  giveUp(
    `${config} is not for port ${port}. Change \`listeners\` and \`public_baseurl\` there, or use another folder: --data DIR`,
    2,
  )
}
console.log(`Starting the node; its page: ${addressIn(config) ?? 'see public_baseurl in the configuration'}`)
serve(config)
