import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Act } from '../../core/audit/acts.js'
import { createClamd } from '../../platform/clamd.js'
import { systemClock } from '../../platform/clock.js'
import { createLogger, silentLogger, type Logger } from '../../platform/logger.js'
import { EICAR, startFakeClamd, type FakeClamd } from '../../platform/testing-clamd.js'
import { untilPasses } from '../../platform/testing-until.js'
import { AS_USER, bytesOf, openMediaBench, TEST_SERVER, type MediaBench } from '../media/testing.js'
import type { MediaGate } from '../media/media-gate.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { clamdEngine } from './engine.js'
import { createMediaGate, type MediaGateDeps } from './media-gate.js'
import { createPkDecryption } from './pk-decryption.js'
import { createScanner, type ScannerOptions } from './scanner.js'
import { createScanning, type Scanning } from './scanning.js'
import { encryptFile, pkEncrypt } from './testing.js'

const GIF = 'GIF89a a picture'
const MEMBER = { by: 'server', server: 'member.example', allowRemote: false, timeoutMs: 0 } as const
const STRANGER = { ...MEMBER, server: 'stranger.example' } as const

interface Bench extends MediaBench {
  readonly scanning: Scanning
  readonly publicKey: string
}

describe('the content scanner', () => {
  let fake: FakeClamd
  let own: Store
  /** What the audit log was told, and how. */
  let told: string[]
  const audit = {
    note: (act: Act) => Promise.resolve(void told.push(`note ${act.act} ${act.reason}`)),
    count: (act: Act) => void told.push(`count ${act.act} ${act.reason}`),
  }
  const open: MediaBench[] = []
  beforeEach(async () => {
    fake = await startFakeClamd()
    own = await openTestStore()
    told = []
  })
  afterEach(async () => {
    for (const bench of open.splice(0)) await bench.close()
    await own.close()
    await fake.close()
  })

  async function bench(
    more: Partial<Pick<MediaGateDeps, 'mode' | 'types'>> & {
      readonly scanner?: Partial<ScannerOptions>
      readonly logger?: Logger
      readonly looksAhead?: boolean
      readonly onScan?: (outcome: string) => void
    } = {},
  ): Promise<Bench> {
    const scanner = createScanner({
      store: own,
      clock: systemClock,
      logger: more.logger ?? silentLogger,
      engine: clamdEngine(createClamd({ path: fake.path })),
      ...(more.onScan && { onScan: more.onScan }),
      options: { maxBytes: 80_000, timeoutMs: 60_000, maxConcurrent: 2, ...more.scanner },
    })
    const types = more.types ?? { allow: undefined, deny: [] }
    const gate: MediaGate = createMediaGate({
      scanner,
      types,
      audit,
      mode: more.mode ?? 'advisory',
      isMember: (name) => name === MEMBER.server,
    })
    const media = await openMediaBench({ gate, looksAhead: more.looksAhead ?? false })
    open.push(media)
    const decryption = createPkDecryption(createHash('sha256').update('secret').digest())
    const scanning = createScanning({
      media: media.media,
      parts: { scanner, types, audit, decryption: () => decryption },
    })
    return { ...media, scanning, publicKey: decryption.publicKey }
  }

  async function encrypted(
    on: Bench,
    plain: string | Buffer,
  ): Promise<{ id: string; file: Record<string, unknown> }> {
    const { ciphertext, file } = encryptFile(plain)
    const id = await on.upload(ciphertext, { contentType: 'application/octet-stream' })
    return { id, file: file(`mxc://${TEST_SERVER}/${id}`) }
  }

  const NOT_CLEAN = { errcode: 'M_FORBIDDEN', status: 403, extra: { reason: 'MCS_MEDIA_NOT_CLEAN' } }

  it('lets nothing infected out on any way, and puts it into quarantine with all that has the same bytes', async () => {
    const on = await bench()
    const first = await on.upload(`a ${EICAR}`)
    const second = await on.upload(`a ${EICAR}`)
    await expect(on.media.download(TEST_SERVER, first, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    expect((await on.media.moderation.info(TEST_SERVER, second)).quarantined_by).toBe('content-scanner')
    await expect(on.media.download(TEST_SERVER, second, MEMBER)).rejects.toMatchObject(NOT_CLEAN)
    const size = { width: 32, height: 32, method: 'crop', animated: false } as const
    await expect(on.media.thumbnail(TEST_SERVER, first, size, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    await expect(on.scanning.download(TEST_SERVER, first, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    expect(on.rendered).toEqual([])
    expect(await on.scanning.scan(TEST_SERVER, first, AS_USER)).toMatchObject({ clean: false })
    expect(fake.scans).toHaveLength(1)
    expect(told).toEqual(['note media.refused Eicar-Test'])
  })

  it('makes no thumbnail of what was not looked at yet', async () => {
    const on = await bench()
    const id = await on.upload(EICAR)
    const size = { width: 32, height: 32, method: 'crop', animated: false } as const
    await expect(on.media.thumbnail(TEST_SERVER, id, size, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    expect(on.rendered).toEqual([])
  })

  it('looks at the same bytes once, over a restart too, until other signatures are in use', async () => {
    const on = await bench()
    const id = await on.upload(GIF)
    expect(await bytesOf(await on.media.download(TEST_SERVER, id, AS_USER))).toBe(GIF)
    await Promise.all([1, 2, 3].map(() => on.media.download(TEST_SERVER, id, AS_USER)))
    const again = await bench()
    await again.media.download(TEST_SERVER, await again.upload(GIF), AS_USER)
    expect(fake.scans).toHaveLength(1)
    fake.version = 'ClamAV 1.4.6/2'
    const later = await bench()
    await later.media.download(TEST_SERVER, await later.upload(GIF), AS_USER)
    expect(fake.scans).toHaveLength(2)
  })

  it.each(['silent', 'hangs-up', 'broken', 'torn', 'endless'] as const)(
    'gives nothing while clamd is %s, says so with 502, and works again afterwards',
    async (mood) => {
      const on = await bench({ scanner: { timeoutMs: mood === 'silent' ? 200 : 60_000 } })
      const id = await on.upload(GIF)
      const { file } = await encrypted(on, GIF)
      fake.mood = mood
      const failed = { errcode: 'M_UNKNOWN', status: 502, extra: { reason: 'MCS_MEDIA_REQUEST_FAILED' } }
      await expect(on.media.download(TEST_SERVER, id, AS_USER)).rejects.toMatchObject(failed)
      await expect(on.media.download(TEST_SERVER, id, MEMBER)).rejects.toMatchObject(failed)
      await expect(on.scanning.downloadEncrypted({ file } as never, AS_USER)).rejects.toMatchObject(failed)
      await expect(on.scanning.scanEncrypted({ file } as never, AS_USER)).rejects.toMatchObject(failed)
      fake.mood = 'well'
      // Again and again: the short time limit of this test may be too short for a loaded machine.
      await untilPasses(async () => {
        expect(await bytesOf(await on.scanning.downloadEncrypted({ file } as never, AS_USER))).toBe(GIF)
        expect(await on.scanning.scan(TEST_SERVER, id, AS_USER)).toMatchObject({ clean: true })
      })
    },
  )

  it('gives nothing where nobody listens', async () => {
    const on = await bench()
    const id = await on.upload(GIF)
    await fake.close()
    await expect(on.media.download(TEST_SERVER, id, AS_USER)).rejects.toMatchObject({ status: 502 })
    fake = await startFakeClamd()
  })

  it('gives nobody what is larger than the engine takes, by its settings or by ours, and does not put it into quarantine', async () => {
    const on = await bench()
    const id = await on.upload('a'.repeat(80_001))
    await expect(on.media.download(TEST_SERVER, id, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    expect(fake.scans).toEqual([])
    fake.limit = 1_000
    const other = await on.upload('a'.repeat(5_000))
    await expect(on.media.download(TEST_SERVER, other, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    fake.limit = 100_000
    await on.media.download(TEST_SERVER, other, AS_USER)
  })

  it('has looked at uploads when somebody asks for them', async () => {
    const on = await bench({ looksAhead: true })
    const [clean, infected] = [await on.upload(GIF), await on.upload(`a ${EICAR}`)]
    const quarantined = async (id: string) => (await on.media.moderation.info(TEST_SERVER, id)).quarantined_by
    await untilPasses(async () => {
      expect(await quarantined(infected)).toBe('content-scanner')
      expect(fake.scans).toHaveLength(2)
    })
    expect(await quarantined(clean)).toBeNull()
    expect(told).toEqual(['note media.refused Eicar-Test'])
    expect(await bytesOf(await on.media.download(TEST_SERVER, clean, AS_USER))).toBe(GIF)
    await expect(on.media.download(TEST_SERVER, infected, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
    expect(fake.scans).toHaveLength(2)
  })

  it('looks at uploads when they are asked for where it could not before', async () => {
    fake.mood = 'hangs-up'
    const scans: string[] = []
    const on = await bench({ looksAhead: true, onScan: (outcome) => void scans.push(outcome) })
    const id = await on.upload(EICAR)
    await untilPasses(() => expect(scans).toContain('failed'))
    fake.mood = 'well'
    await untilPasses(() => expect(on.media.download(TEST_SERVER, id, AS_USER)).rejects.toMatchObject(NOT_CLEAN))
    expect(scans.at(-1)).toBe('infected')
  }) // prettier-ignore

  it('asks the engine for a bounded number of files at a time', async () => {
    const on = await bench()
    const ids = await Promise.all(Array.from({ length: 12 }, (_, at) => on.upload(`${GIF} ${at}`)))
    await Promise.all(ids.map((id) => on.media.download(TEST_SERVER, id, AS_USER)))
    expect(fake.scans).toHaveLength(12)
    // One more may still be closing.
    expect(fake.most()).toBeLessThanOrEqual(4)
  })

  describe('with an encrypted file', () => {
    it('gives it decrypted when it is clean, by its key in the open or encrypted to the scanner', async () => {
      const on = await bench({ mode: 'strict' })
      const plain = Buffer.concat([Buffer.from(GIF, 'latin1'), Buffer.alloc(70_000, 7)])
      const { file } = await encrypted(on, plain)
      const open = await on.scanning.downloadEncrypted({ file } as never, AS_USER)
      expect(open).toMatchObject({ contentType: 'image/gif', size: plain.length })
      expect(await bytesOf(open)).toBe(plain.toString('latin1'))
      const encrypted_body = { ...pkEncrypt(on.publicKey, JSON.stringify({ file })) }
      expect(await bytesOf(await on.scanning.downloadEncrypted({ encrypted_body }, AS_USER))).toBe(
        plain.toString('latin1'),
      )
      expect(await on.scanning.scanEncrypted({ encrypted_body }, AS_USER)).toEqual({
        clean: true,
        info: 'File is clean',
      })
      expect(fake.scans).toHaveLength(1)
    })

    it('refuses it when it is infected', async () => {
      const on = await bench()
      const { file } = await encrypted(on, `\n${EICAR}\n`)
      await expect(on.scanning.downloadEncrypted({ file } as never, AS_USER)).rejects.toMatchObject(NOT_CLEAN)
      expect(await on.scanning.scanEncrypted({ file } as never, AS_USER)).toMatchObject({ clean: false })
    })

    it('looks again when another key is said to read the same bytes', async () => {
      const on = await bench()
      const { ciphertext, file } = encryptFile(EICAR)
      const id = await on.upload(ciphertext)
      const right = file(`mxc://${TEST_SERVER}/${id}`)
      const wrong = { ...right, iv: 'AAAAAAAAAAAAAAAAAAAAAA' }
      expect(await on.scanning.scanEncrypted({ file: wrong } as never, AS_USER)).toMatchObject({
        clean: true,
      })
      expect(await on.scanning.scanEncrypted({ file: right } as never, AS_USER)).toMatchObject({
        clean: false,
      })
    })

    it('refuses it when it is not the one of the message', async () => {
      const on = await bench()
      const { file } = await encrypted(on, GIF)
      const other = await encrypted(on, GIF)
      await expect(
        on.scanning.downloadEncrypted({ file: { ...file, url: other.file['url'] } } as never, AS_USER),
      ).rejects.toMatchObject({ status: 400, extra: { reason: 'MCS_MEDIA_FAILED_TO_DECRYPT' } })
    })

    it('says what is wrong with the request, and never with words of it', async () => {
      const on = await bench()
      const { file } = await encrypted(on, GIF)
      const { publicKey } = createPkDecryption(Buffer.alloc(32, 1))
      const old = { encrypted_body: { ...pkEncrypt(publicKey, JSON.stringify({ file })) } }
      await expect(on.scanning.downloadEncrypted(old, AS_USER)).rejects.toMatchObject({
        status: 403,
        extra: { reason: 'MCS_BAD_DECRYPTION' },
      })
      const key = file['key'] as object
      for (const body of [
        {},
        { file: 1 },
        { file: { ...file, url: 'mxc://a' } },
        { file: { ...file, url: `${file['url'] as string}/x` } },
        { file: { ...file, v: 'v9' } },
        { file: { ...file, key: { ...key, k: 'AAAA' } } },
        { file: { ...file, key: { ...key, alg: 'A128CTR' } } },
        { file: { ...file, iv: 'AAAA' } },
        { file: { ...file, hashes: {} } },
        { encrypted_body: {} },
        { encrypted_body: 3 },
        { encrypted_body: { ...pkEncrypt(on.publicKey, 'no JSON') } },
        { encrypted_body: { ...pkEncrypt(on.publicKey, '[]') } },
        { encrypted_body: { ...pkEncrypt(on.publicKey, '{}'), ciphertext: 'A'.repeat(40_000) } },
      ] as never[])
        // prettier-ignore
        await expect(on.scanning.scanEncrypted(body, AS_USER)).rejects.toMatchObject({
          status: 400,
          extra: { reason: 'MCS_MALFORMED_JSON' },
        })
    })

    it('keeps no key, in no table and in no line of the log', async () => {
      const lines: string[] = []
      const logger = createLogger({ level: 'trace', write: (line) => void lines.push(line) })
      const on = await bench({ logger })
      const { file } = await encrypted(on, GIF)
      await on.scanning.downloadEncrypted({ file } as never, AS_USER)
      fake.mood = 'broken'
      const { file: second } = await encrypted(on, `${GIF}2`)
      await expect(on.scanning.downloadEncrypted({ file: second } as never, AS_USER)).rejects.toThrow()
      expect(lines.join('')).toContain('the content scanner fails')
      for (const { key, iv } of [file, second] as unknown as { key: { k: string }; iv: string }[]) {
        expect(lines.join('')).not.toContain(key.k)
        expect(lines.join('')).not.toContain(iv)
      }
      const kept = await own.read('test', function* () {
        const result = yield { sql: 'SELECT sha256 FROM scan_verdicts', params: [], kind: 'rows' }
        return result.rows
      })
      expect(kept).toEqual([])
    })
  })

  describe('by kind', () => {
    const types = { allow: ['image/*', 'text/plain'], deny: ['image/svg+xml'] }

    it('goes by the content, whatever the file is called', async () => {
      const on = await bench({ types })
      const forbidden = { extra: { reason: 'MCS_MIME_TYPE_FORBIDDEN' }, status: 403 }
      await on.media.download(TEST_SERVER, await on.upload(GIF), AS_USER)
      for (const bytes of ['MZ', '%PDF-1.4', '<svg></svg>'])
        await expect(
          on.media.download(TEST_SERVER, await on.upload(bytes, { contentType: 'image/png' }), AS_USER),
        ).rejects.toMatchObject(forbidden)
      const svg = await on.upload('text', { contentType: 'Image/SVG+xml; a=b' })
      await expect(on.media.download(TEST_SERVER, svg, AS_USER)).rejects.toMatchObject(forbidden)
      const { file } = await encrypted(on, '%PDF-1.4')
      await expect(on.scanning.downloadEncrypted({ file } as never, AS_USER)).rejects.toMatchObject(forbidden)
    })
  })

  describe('strict', () => {
    const refused = { status: 403, extra: { reason: 'MCS_MEDIA_ENCRYPTED' } }

    it('gives ciphertext through the scanner alone, whatever type it is uploaded as, and plain files as ever', async () => {
      const on = await bench({ mode: 'strict' })
      const { id } = await encrypted(on, GIF)
      await expect(on.media.download(TEST_SERVER, id, AS_USER)).rejects.toMatchObject(refused)
      const disguised = await on.upload(encryptFile(GIF).ciphertext, { contentType: 'image/png' })
      await expect(on.media.download(TEST_SERVER, disguised, AS_USER)).rejects.toMatchObject(refused)
      for (const plain of [GIF, 'a text', '', '%PDF-1.4'])
        await on.media.download(TEST_SERVER, await on.upload(plain), AS_USER)
    })

    it('gives ciphertext to member servers, and to no other', async () => {
      const on = await bench({ mode: 'strict' })
      const { id } = await encrypted(on, GIF)
      await on.media.download(TEST_SERVER, id, MEMBER)
      await expect(on.media.download(TEST_SERVER, id, STRANGER)).rejects.toMatchObject(refused)
      await on.media.download(TEST_SERVER, await on.upload(GIF), STRANGER)
    })

    it('is not what advisory is', async () => {
      const on = await bench()
      const { id } = await encrypted(on, GIF)
      await on.media.download(TEST_SERVER, id, AS_USER)
      await on.media.download(TEST_SERVER, id, STRANGER)
    })
  })

  it('is not there where there is none', async () => {
    const on = await bench()
    const none = createScanning({ media: on.media, parts: undefined })
    expect(() => none.publicKey()).toThrow('no content scanner')
    await expect(none.scan(TEST_SERVER, 'x', AS_USER)).rejects.toMatchObject({ errcode: 'M_UNRECOGNIZED' })
    await expect(none.downloadEncrypted({}, AS_USER)).rejects.toMatchObject({ errcode: 'M_UNRECOGNIZED' })
  })
})
