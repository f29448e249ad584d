/**
 * A process for tests to kill: `folder` in, then one upload after the other, of the sizes given on standard input, one
 * a line. Prints `begun` when the first bytes of one were taken in, and its media id when it was acknowledged.
 */
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { systemClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openSqlite } from '../../storage/sqlite-store.js'
import { createMedia } from './media.js'

const folder = process.argv[2]!
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** Different for every chunk, so that half a file never has the hash of a whole one. */
async function* content(chunks: number, seed: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < chunks; i++) {
    yield createHash('sha512').update(`${seed} ${i}`).digest()
    if (i === 1) say('begun')
    await delay(1)
  }
}

const media = await createMedia({
  store: await openSqlite({ path: join(folder, 'media.db') }),
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
  serverName: 'ministry.example',
  options: {
    path: join(folder, 'media'),
    maxUploadBytes: 1e9,
    maxImagePixels: 1,
    dynamicThumbnails: false,
    remoteTimeoutMs: 1,
    maxRemoteBytes: 1,
    legacyUnauthenticated: 'off',
  },
  fetchRemote: () => Promise.reject(new Error('not here')),
  thumbnailer: { render: () => Promise.resolve({ ok: false, fault: 'busy' }) },
})
let seed = Date.now() // oxlint-disable-line no-restricted-properties -- a fixture, and no two runs may upload the same
say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const uri = await media.upload({
    userId: '@alice:ministry.example',
    body: Readable.from(content(Number(line), seed++)),
    declaredLength: undefined,
    contentType: 'image/png',
    fileName: undefined,
  })
  say(uri.split('/')[3]!)
}
