import { MatrixError } from '../../core/errors.js'
import { SNIFF_BYTES, sniffType } from '../../core/sniff-type.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import { createSemaphore, SemaphoreFullError } from '../../platform/semaphore.js'
import { deleteOldVerdicts, scanVerdict, upsertScanVerdict } from '../../storage/tables/scan-verdicts.js'
import type { Store } from '../../storage/tx.js'
import type { EngineVerdict, ScanEngine, ScanSource } from './engine.js'
import { scanError } from './scan-errors.js'

/** What is known of a file. */
export interface FileVerdict {
  readonly kind: EngineVerdict['kind']
  /** The signature that was found, or why it was not looked at. */
  readonly detail: string
  /** By its content. */
  readonly contentType: string
}

export interface Scanner {
  /**
   * Looks at a file, or remembers. `key` names its bytes: what was said of them holds as long as the signatures are the same. `lasting` keeps it over a restart, for keys that
   * tell nothing. Throws M_UNKNOWN (502) with `MCS_MEDIA_REQUEST_FAILED` where the engine is dead or slow, M_LIMIT_EXCEEDED where too many files wait.
   */
  look(key: string, source: ScanSource, lasting: boolean): Promise<FileVerdict>
  /** Job: forgets what was said long ago. Gives how much. */
  prune(): Promise<number>
}

export interface ScannerOptions {
  /** The largest file that is handed to the engine, in bytes. */
  readonly maxBytes: number
  /** For one file, from its turn on. */
  readonly timeoutMs: number
  readonly maxConcurrent: number
}

export interface ScannerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly engine: ScanEngine
  readonly options: ScannerOptions
  readonly onScan?: (outcome: EngineVerdict['kind'] | 'failed') => void
}

const MAX_WAITING = 200
const REMEMBERED = 10_000
const REMEMBERED_MS = 3_600_000
/** How long the version of the signatures is not asked for again. */
const VERSION_MS = 60_000
const VERSION_TIMEOUT_MS = 10_000
const KEPT_MS = 30 * 86_400_000
const BATCH = 500

export function createScanner(deps: ScannerDeps): Scanner {
  const { store, clock, logger, engine, options } = deps
  const turns = createSemaphore({ permits: options.maxConcurrent, maxWaiting: MAX_WAITING })
  const running = new Map<string, Promise<FileVerdict>>()
  const remembered = createLru<string, FileVerdict>({ max: REMEMBERED, ttlMs: REMEMBERED_MS, clock })
  const versions = createLru<'version', string>({ max: 1, ttlMs: VERSION_MS, clock })
  let isFailing = false

  /** Runs something of the engine within a time. Whatever is wrong with it is one error to the client, and one line of the log while it lasts. */
  async function asking<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const given = new AbortController()
    const late = new Error(`no answer within ${timeoutMs} ms`)
    const timer = setTimeout(() => given.abort(late), timeoutMs)
    timer.unref()
    const over = new Promise<never>((_, reject) => {
      given.signal.addEventListener('abort', () => reject(late), { once: true })
    })
    try {
      // An engine that does not heed the signal is not waited for either.
      const answer = await Promise.race([work(given.signal), over])
      if (isFailing) logger.info({ engine: engine.name }, 'the content scanner works again')
      isFailing = false
      return answer
    } catch (error) {
      if (error instanceof MatrixError) throw error
      deps.onScan?.('failed')
      if (!isFailing)
        logger.error({ err: error, engine: engine.name }, 'the content scanner fails: no file is given')
      isFailing = true
      throw scanError(
        'MCS_MEDIA_REQUEST_FAILED',
        'The content scanner does not work at the moment; try again later',
      )
    } finally {
      clearTimeout(timer)
    }
  }

  async function version(): Promise<string> {
    const known = versions.get('version')
    if (known !== undefined) return known
    const now = (await asking(VERSION_TIMEOUT_MS, (signal) => engine.version(signal))).slice(0, 200)
    versions.set('version', now)
    return now
  }

  async function scan(source: ScanSource): Promise<FileVerdict> {
    const contentType = sniffType(await head(source))
    if (source.size > options.maxBytes)
      return { kind: 'unfit', detail: 'larger than the scanner takes', contentType }
    const verdict = await asking(options.timeoutMs, (signal) => engine.scan(source, signal))
    deps.onScan?.(verdict.kind)
    if (verdict.kind === 'clean') return { kind: 'clean', detail: '', contentType }
    const detail = (verdict.kind === 'infected' ? verdict.signature : verdict.why).slice(0, 200)
    return { kind: verdict.kind, detail, contentType }
  }

  async function lookOnce(
    key: string,
    at: string,
    source: ScanSource,
    lasting: boolean,
  ): Promise<FileVerdict> {
    if (lasting) {
      const row = await store.read('scanning.known', () => scanVerdict(key))
      if (row?.version === at) return { kind: row.kind, detail: row.detail, contentType: row.content_type }
    }
    const verdict = await turns
      .run(() => scan(source))
      .catch((error: unknown) => {
        if (!(error instanceof SemaphoreFullError)) throw error
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many files wait for the content scanner', {
          retry_after_ms: 5_000,
        })
      })
    // What is larger than the scanner takes depends on settings, not on signatures.
    if (lasting && verdict.kind !== 'unfit') {
      const { kind } = verdict
      await store.write('scanning.keep', () =>
        upsertScanVerdict({
          sha256: key,
          version: at,
          kind,
          detail: verdict.detail,
          content_type: verdict.contentType,
          scanned_ts: clock.now(),
        }),
      )
    }
    return verdict
  }

  return {
    async look(key, source, lasting) {
      const at = await version()
      const name = `${at} ${key}`
      const known = remembered.get(name)
      if (known !== undefined) return known
      const before = running.get(name)
      if (before !== undefined) return before
      const work = lookOnce(key, at, source, lasting)
        .then((verdict) => {
          if (verdict.kind !== 'unfit') remembered.set(name, verdict)
          return verdict
        })
        .finally(() => running.delete(name))
      running.set(name, work)
      return work
    },

    async prune() {
      const before = clock.now() - KEPT_MS
      for (let total = 0; ;) {
        const gone = await store.write('scanning.prune', () => deleteOldVerdicts(before, BATCH))
        total += gone
        if (gone < BATCH) return total
      }
    },
  }
}

/** The beginning of a file. */
async function head(source: ScanSource): Promise<Uint8Array> {
  const stream = await source.open()
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      pieces.push(piece)
      length += piece.length
      if (length >= SNIFF_BYTES) break
    }
  } finally {
    stream.destroy()
  }
  return Buffer.concat(pieces).subarray(0, SNIFF_BYTES)
}
