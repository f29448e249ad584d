import { request, type IncomingHttpHeaders } from 'node:http'
import type { Route } from '../../src/http/route.js'

/** An answer as it came. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Of a JSON answer. */
  readonly errcode: string | undefined
}

export interface RawOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Chunks are sent one after another without a length; the rest is not sent once there is an answer. */
  readonly body?: string | Uint8Array | readonly Uint8Array[] | undefined
}

const errcodeOf = (text: string): string | undefined => {
  try {
    return (JSON.parse(text) as { errcode?: string }).errcode
  } catch {
    return undefined
  }
}

/** Sends bytes to a path as it is: `fetch` would tidy it, and refuse half of what is tried here. */
export function raw(
  base: string,
  method: string,
  path: string,
  options: RawOptions = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(base)
  const { body } = options
  // Node gives a DELETE no length of itself, and what follows would be taken for another request.
  const length =
    body === undefined
      ? {}
      : typeof body === 'string' || body instanceof Uint8Array
        ? { 'content-length': Buffer.byteLength(body) }
        : { 'transfer-encoding': 'chunked' }
  const headers = { ...length, ...options.headers }
  return new Promise((resolve, reject) => {
    let answered = false
    const req = request({ hostname, port, method, path, headers, timeout: 20_000 }, (res) => {
      answered = true
      let text = ''
      res.setEncoding('utf8')
      res.on('data', (chunk: string) => (text += chunk))
      res.on('end', () =>
        resolve({ status: res.statusCode!, headers: res.headers, text, errcode: errcodeOf(text) }),
      )
      res.on('error', reject)
    })
    req.on('error', (error) => {
      if (!answered) reject(error)
    })
    req.on('timeout', () => req.destroy(new Error(`no answer: ${method} ${path}`)))
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      req.end(body)
      return
    }
    const chunks = [...body]
    const next = (): void => {
      const chunk = answered ? undefined : chunks.shift()
      if (chunk === undefined) req.end()
      else req.write(chunk, next)
    }
    next()
  })
}

/** A schema, as far as values are made of it. */
export interface Shape {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Shape[]
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly minimum?: number
  readonly minItems?: number
}

const ABSENT: Readonly<Record<string, unknown>> = {
  string: 'x',
  boolean: false,
  array: [],
  object: {},
  null: null,
}

/** A value that the schema allows, as far as its types go. */
export function sample(shape: Shape): unknown {
  if ('const' in shape) return shape.const
  if (shape.enum !== undefined) return shape.enum[0]
  if (shape.anyOf !== undefined) return sample(shape.anyOf[0]!)
  if (shape.type === 'integer' || shape.type === 'number') return Math.max(1, shape.minimum ?? 1)
  if (shape.type === 'array')
    return Array.from({ length: shape.minItems ?? 0 }, () => sample(shape.items ?? { type: 'string' }))
  if (shape.type === 'object' && shape.properties !== undefined)
    return Object.fromEntries((shape.required ?? []).map((name) => [name, sample(shape.properties![name]!)]))
  return ABSENT[shape.type ?? ''] ?? {}
}

/** JSON types that a schema takes; undefined where it takes any. */
function kinds(shape: Shape): ReadonlySet<string> | undefined {
  if ('const' in shape) return new Set([kindOf(shape.const)])
  if (shape.enum !== undefined) return new Set(shape.enum.map(kindOf))
  if (shape.anyOf !== undefined) {
    const all = shape.anyOf.map(kinds)
    return all.includes(undefined) ? undefined : new Set(all.flatMap((some) => [...some!]))
  }
  if (shape.type === undefined) return undefined
  return new Set([shape.type === 'integer' ? 'number' : shape.type])
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

const OF_EVERY_KIND: readonly unknown[] = [null, true, 7, 'x', [], {}]

/** One value of each JSON type that the schema does not take; a fraction where it takes whole numbers. */
export function wrongFor(shape: Shape): unknown[] {
  const taken = kinds(shape)
  if (taken === undefined) return []
  const wrong = OF_EVERY_KIND.filter((value) => !taken.has(kindOf(value)))
  return shape.type === 'integer' ? [...wrong, 1.5] : wrong
}

export const shapeOf = (schema: unknown): Shape => schema as Shape

export const takesJson = (route: Route): boolean => route.body !== undefined && route.body !== 'stream'

/** The path with its parameters filled in, and the query that the route cannot do without; a version is of the key backup. */
export function target(route: Route, path: string, value: (name: string) => string): string {
  const filled = path.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) => encodeURIComponent(value(name)))
  const query = shapeOf(route.query ?? {})
  const needed = (query.required ?? []).map(
    (name) =>
      [name, name === 'version' ? value(name) : String(sample(query.properties![name]!))] as [string, string],
  )
  return needed.length === 0 ? filled : `${filled}?${new URLSearchParams(needed).toString()}`
}

/** Whether a path is one of those that the route serves. */
export function serves(route: Route, path: string): boolean {
  const segments = path.split('/')
  return route.paths.some((pattern) => {
    const parts = pattern.split('/')
    return (
      parts.length === segments.length &&
      parts.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]))
    )
  })
}
