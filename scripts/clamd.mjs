/**
 * A real clamd for tests and for trying out, from Debian's clamav-daemon, with one signature of its own: the words of the EICAR test file, wherever
 * they stand in a body. No other signatures are fetched.
 *
 *     node scripts/clamd.mjs [FOLDER]      runs until it is interrupted, and says where its socket is
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PLACES = ['/usr/sbin/clamd', '/usr/local/sbin/clamd', '/opt/homebrew/sbin/clamd']

/** In pieces, so that no scanner takes this file for it. */
const WORDS = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-', 'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('')

/** Where clamd is; undefined where it is not installed. */
export const clamdProgram = () => PLACES.find((path) => existsSync(path))

/**
 * What a node needs of a clamd; larger files than `streamMaxLength` bytes are refused. MaxFileSize is larger than MaxScanSize: what stands in an archive is cut at
 * MaxFileSize without a word, AlertExceedsMax or not, while beyond MaxScanSize there is an alert.
 */
const settings = (folder, streamMaxLength) => `
Foreground yes
DatabaseDirectory ${join(folder, 'signatures')}
LocalSocket ${join(folder, 'clamd.ctl')}
TemporaryDirectory ${folder}
StreamMaxLength ${streamMaxLength}
MaxScanSize ${streamMaxLength * 4}
MaxFileSize ${streamMaxLength * 8}
AlertExceedsMax yes
AlertEncrypted yes
AlertBrokenExecutables no
MaxThreads 4
SelfCheck 0
ConcurrentDatabaseReload no
`

const answers = (path) =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

/**
 * Starts one in a folder of its own. Rejects where it ends instead of listening, with what it said.
 * @param {{ streamMaxLength?: number, folder?: string }} [options]
 */
export async function startClamd({ streamMaxLength = 20_000_000, folder: given } = {}) {
  const program = clamdProgram()
  if (program === undefined) throw new Error('there is no clamd here: install clamav-daemon')
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'clamd-')))
  await mkdir(join(folder, 'signatures'), { recursive: true })
  await writeFile(
    join(folder, 'signatures', 'eicar.ndb'),
    `Eicar-Body:0:*:${Buffer.from(WORDS).toString('hex')}\n`,
  )
  await writeFile(join(folder, 'clamd.conf'), settings(folder, streamMaxLength))
  const child = spawn(program, ['-c', join(folder, 'clamd.conf')], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece) => {
      said = (said + piece).slice(-10_000)
    })
  const ended = new Promise((resolve) => {
    child.once('error', resolve)
    child.once('exit', resolve)
  })
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  const path = join(folder, 'clamd.ctl')
  while (!(await answers(path))) {
    if (isOver) throw new Error(`clamd ended instead of listening:\n${said}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    path,
    async close() {
      child.kill('SIGTERM')
      await ended
      if (given === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const clamd = await startClamd({ folder: process.argv[2] })
  console.log(`clamd listens on ${clamd.path}`)
  process.once('SIGINT', () => void clamd.close())
}
