import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { clamdProgram, startClamd } from '../../../scripts/clamd.mjs'
import { createClamd, type ClamdReply } from '../../platform/clamd.js'
import { untilPasses } from '../../platform/testing-until.js'
import { EICAR } from '../../platform/testing-clamd.js'
import { encryptFile } from './testing.js'
import { decrypted, parseEncryptedFile } from './encrypted-file.js'
import { zipOf } from './testing-zip.js'

const STREAM_MAX = 2_000_000
const program = clamdProgram()
// Said where it is not there: `apt-get install clamav-daemon` gives it.
const where = program === undefined ? describe.skip : describe
if (program === undefined) process.stderr.write('no clamd here: what a real one finds is not tested\n')

where('a real clamd with one signature', () => {
  let clamd: Awaited<ReturnType<typeof startClamd>>
  beforeAll(async () => {
    clamd = await startClamd({ streamMaxLength: STREAM_MAX })
  }, 120_000)
  afterAll(() => clamd.close())

  const scan = (bytes: Buffer): Promise<ClamdReply> =>
    createClamd({ path: clamd.path }).scan(
      Readable.from([bytes], { objectMode: false }),
      AbortSignal.timeout(60_000),
    )
  const eicar = Buffer.from(EICAR)

  it('finds nothing in what is clean', async () => {
    for (const bytes of [
      Buffer.from('a text'),
      Buffer.alloc(1_000_000, 7),
      zipOf('a.txt', Buffer.from('a text')),
    ])
      expect(await scan(bytes)).toEqual({ kind: 'ok' })
  })

  it.each<[string, () => Buffer]>([
    ['plain', () => eicar],
    ['with a newline', () => Buffer.from(`${EICAR}\n`)],
    [
      'in the middle of something',
      () => Buffer.concat([Buffer.alloc(300_000, 'a'), eicar, Buffer.alloc(300_000, 'b')]),
    ],
    ['in a ZIP', () => zipOf('eicar.com', eicar)],
    ['in a ZIP in a ZIP in a ZIP', () => zipOf('a.zip', zipOf('b.zip', zipOf('eicar.com', eicar)))],
    [
      'in a ZIP, larger than a stream may be',
      () => zipOf('a.bin', Buffer.concat([Buffer.alloc(STREAM_MAX + 500_000), eicar])),
    ],
    ['in a GZIP', () => gzipSync(eicar)],
    ['in a ZIP in a GZIP', () => gzipSync(zipOf('eicar.com', eicar))],
    ['behind a picture', () => Buffer.concat([Buffer.from('GIF89a'), Buffer.alloc(2_000, 1), eicar])],
    [
      'in a mail, as base64',
      () =>
        Buffer.from(
          `From: a@b.example\nTo: c@d.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: application/octet-stream; name="a.bin"\nContent-Transfer-Encoding: base64\n\n${eicar.toString('base64')}\n`,
        ),
    ],
  ])('finds it %s', async (_, bytes) => {
    expect(await scan(bytes())).toMatchObject({
      kind: 'found',
      signature: expect.stringContaining('Eicar-Body'),
    })
  })

  it('finds it in what was decrypted, and not in the ciphertext', async () => {
    const { ciphertext, file } = encryptFile(zipOf('eicar.com', eicar))
    expect(await scan(ciphertext)).toEqual({ kind: 'ok' })
    const plain = decrypted(Readable.from([ciphertext]), parseEncryptedFile(file('mxc://a.example/b')))
    const reply = await createClamd({ path: clamd.path }).scan(plain, AbortSignal.timeout(60_000))
    expect(reply).toMatchObject({ kind: 'found' })
  })

  it('takes a ZIP with a password for no clean file', async () => {
    expect(await scan(zipOf('a.txt', Buffer.from('a text'), { encrypted: true }))).toMatchObject({
      kind: 'found',
      signature: expect.stringContaining('Encrypted'),
    })
  })

  it('refuses what is larger than StreamMaxLength, and goes on', async () => {
    // It hangs up while we still write: now and then its answer is lost with the connection, and the scan fails.
    await untilPasses(async () =>
      expect(await scan(Buffer.concat([Buffer.alloc(STREAM_MAX + 1), eicar]))).toEqual({ kind: 'too-large' }),
    )
    expect(await scan(eicar)).toMatchObject({ kind: 'found' })
  })

  it('takes for no clean file what unpacks to more than is looked at', async () => {
    const bomb = zipOf('zeros', Buffer.alloc(STREAM_MAX * 5))
    expect(bomb.length).toBeLessThan(STREAM_MAX)
    expect(await scan(bomb)).toEqual({
      kind: 'found',
      signature: 'Heuristics.Limits.Exceeded.MaxScanSize',
    })
  })

  it('names its engine', async () => {
    expect(await createClamd({ path: clamd.path }).version(AbortSignal.timeout(60_000))).toMatch(/^ClamAV \d/)
  })
})
