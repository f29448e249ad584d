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
  /** Where lines go; standard output where absent. */
  write?: (line: string) => void
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
  const logger = options.write === undefined ? pino(settings) : pino(settings, { write: options.write })
  return wrap(logger)
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

function wrap(logger: pino.Logger): Logger {
  return {
    trace: (fields, message) => logger.trace(fields, message),
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    fatal: (fields, message) => logger.fatal(fields, message),
    child: (fields) => wrap(logger.child({ ...(clean(fields, 0) as object) })),
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
    out[key] = SECRET_KEYS.has(key.toLowerCase().replaceAll(/[_-]/g, '')) ? REDACTED : clean(item, depth + 1)
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
  return bounded
    .replaceAll(/((?:access|login|refresh|hs|as)_?token|client_secret)=[^&\s"'#]+/gi, `$1=${REDACTED}`)
    .replaceAll(/\b(bearer|basic) [A-Za-z0-9._~+/=-]+/gi, `$1 ${REDACTED}`)
    .replaceAll(/\bsig(?:nature)?="[^"]*"/gi, `sig="${REDACTED}"`)
}
