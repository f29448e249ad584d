import { writeSync } from 'node:fs'
import { types } from 'node:util'
import pino from 'pino'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

type LogMethod = (fields: object, message: string) => void

/** Structured logs: fields first, then a constant sentence. An error goes under `err`. */
export interface Logger {
  readonly trace: LogMethod
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  readonly fatal: LogMethod
  /** A logger that adds these fields to every line, e.g. `{ requestId }`. */
  child(fields: object): Logger
}

export interface LoggerOptions {
  level?: LogLevel
  /** Where lines go, each at once; the descriptor where absent. */
  write?: (line: string) => void
  /** A file that is open; standard output where absent. */
  descriptor?: number
  /** What stands for a line in the descriptor, for people to read; the JSON object itself where absent. */
  format?: (line: string) => string
}

/** One JSON object a line. Tokens, passwords and signatures never reach a line, wherever in the fields they stand. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level ?? 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => clean(fields, 0) as Record<string, unknown>,
    },
    hooks: {
      logMethod(args, method) {
        const [fields, message] = args as unknown as [object, string]
        method.apply(this, [fields, scrub(message)])
      },
    },
    // pino's own error serializer would see the cleaned copy and describe it as a plain object.
    serializers: { err: (value: unknown) => value },
  }
  if (options.write !== undefined) return wrap(pino(settings, { write: options.write }), () => undefined)
  const output = bufferedOutput(options.descriptor ?? 1, options.format)
  return wrap(pino(settings, output.stream), output.flush)
}

/** Lines below `warn` wait so long for others, in milliseconds, or until there is so much. */
const FLUSH_MS = 50
const FLUSH_CHARACTERS = 16_384
/** How often a pipe that is full is tried again, after a millisecond each. */
const MOST_FAILURES = 20

/**
 * Writes many lines at once: the line of each request would otherwise cost a system call of its own. What waits goes out when the
 * process ends, however it ends but by SIGKILL.
 */
function bufferedOutput(
  descriptor: number,
  format: (line: string) => string = (line) => line,
): { stream: pino.DestinationStream; flush: () => void } {
  let waiting = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    const lines = waiting
    waiting = ''
    if (lines !== '') writeWhole(descriptor, Buffer.from(lines))
  }
  process.on('exit', flush)
  return {
    stream: {
      write(line) {
        waiting += format(line)
        if (waiting.length >= FLUSH_CHARACTERS) flush()
        else timer ??= setTimeout(flush, FLUSH_MS).unref()
      },
    },
    flush,
  }
}

/** Gives up, and drops the rest, where nobody reads the log or its disk is full: neither may end the node. */
function writeWhole(descriptor: number, bytes: Uint8Array): void {
  let written = 0
  for (let failures = 0; written < bytes.length && failures < MOST_FAILURES;) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN' && code !== 'EINTR') return
      failures++
      // A pipe whose reader is behind.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

/** Says nothing: for tests. */
export const silentLogger: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silentLogger,
}

/** What is wrong is written at once, with all that led to it. */
function wrap(logger: pino.Logger, flush: () => void): Logger {
  const atOnce =
    (method: 'warn' | 'error' | 'fatal'): LogMethod =>
    (fields, message) => {
      logger[method](fields, message)
      flush()
    }
  return {
    trace: (fields, message) => logger.trace(fields, message),
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: atOnce('warn'),
    error: atOnce('error'),
    fatal: atOnce('fatal'),
    child: (fields) => wrap(logger.child({ ...(clean(fields, 0) as object) }), flush),
  }
}

const SECRET_KEYS = new Set([
  'accesstoken', 'authorization', 'proxyauthorization', 'cookie', 'setcookie', 'password', 'newpassword', 'oldpassword', 'token',
  'refreshtoken', 'logintoken', 'registrationtoken', 'hstoken', 'astoken', 'secret', 'sharedsecret', 'clientsecret', 'mac', 'seed', 'signingkey', 'privatekey',
]) // prettier-ignore
const REDACTED = '[redacted]'
const MAX_DEPTH = 8
const MAX_ITEMS = 200
const MAX_STRING = 8_192

/** Verdicts on short keys, since nearly all keys are a few words of the program's own. */
const verdicts = new Map<string, boolean>()
const MAX_VERDICTS = 500
const MAX_KEY = 40

function isSecret(key: string): boolean {
  const known = verdicts.get(key)
  if (known !== undefined) return known
  const verdict = SECRET_KEYS.has(key.toLowerCase().replaceAll(/[_-]/g, ''))
  if (key.length <= MAX_KEY && verdicts.size < MAX_VERDICTS) verdicts.set(key, verdict)
  return verdict
}

/** A copy that is safe to write: bounded in depth, width and length, secrets taken out. */
function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return scrub(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[deep]'
  if (types.isNativeError(value)) return cleanError(value, depth)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, depth + 1))
  // A null prototype, because a key of these fields may come from a peer and be named `__proto__`.
  const out = Object.create(null) as Record<string, unknown>
  let left = MAX_ITEMS
  for (const [key, item] of Object.entries(value)) {
    if (left-- === 0) break
    out[key] = isSecret(key) ? REDACTED : clean(item, depth + 1)
  }
  return out
}

function cleanError(error: Error, depth: number): object {
  const { code, errcode, cause } = error as Error & { code?: unknown; errcode?: unknown }
  return {
    type: error.name,
    message: scrub(error.message),
    stack: error.stack === undefined ? undefined : scrub(error.stack),
    code: clean(code, depth + 1),
    errcode: clean(errcode, depth + 1),
    cause: clean(cause, depth + 1),
  }
}

/** Takes tokens out of URLs and headers quoted in running text. Each pattern is linear: a fixed word, then one class. */
function scrub(text: string): string {
  const bounded = text.length > MAX_STRING ? `${text.slice(0, MAX_STRING)}…` : text
  // Each pattern needs one of these, which ids, paths and words lack.
  if (!bounded.includes('=') && !bounded.includes(' ')) return bounded
  return bounded
    .replaceAll(/((?:access|login|refresh|hs|as)_?token|client_secret)=[^&\s"'#]+/gi, `$1=${REDACTED}`)
    .replaceAll(/\b(bearer|basic) [A-Za-z0-9._~+/=-]+/gi, `$1 ${REDACTED}`)
    .replaceAll(/\bsig(?:nature)?="[^"]*"/gi, `sig="${REDACTED}"`)
}
