import { Type, type Static, type TSchema } from 'typebox'

/**
 * What a text in the file means beyond its JSON type. `duration` and `size` are numbers after loading (milliseconds, bytes);
 * `path` is absolute after loading, relative to the folder of the file; `data-path` is relative to `data_dir`.
 */
export type Format =
  | 'duration'
  | 'size'
  | 'path'
  | 'data-path'
  | 'http-url'
  | 'server-name'
  | 'cidr'
  | 'user-id'
  | 'email'
  | 'room-version'
  | 'address'
  | 'host'
  | 'turn-uri'
  | 'server-key-id'
  | 'public-key'
  | 'email-domain'
  | 'email-pattern'

/** What the loader and the generator read of a schema, whatever its TypeBox type. */
export interface Node {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'
  readonly description?: string
  readonly default?: unknown
  readonly example?: unknown
  readonly format?: Format
  readonly secret?: true
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly keyFormat?: Format
  readonly items?: Node
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly maxItems?: number
  readonly minItems?: number
  readonly maxLength?: number
}

export const asNode = (schema: TSchema): Node => schema as unknown as Node

interface Options {
  /** A value for the example file where there is no default. */
  readonly example?: unknown
  readonly [key: string]: unknown
}

/** 64 KiB holds every certificate bundle's path and every secret; nobody means more. */
const MAX_TEXT = 65_536

export const text = (description: string, fallback?: string, options: Options = {}) =>
  Type.String({
    description,
    maxLength: MAX_TEXT,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...options,
  })

/** A text that may also come from `<key>_file` or the environment, and is never printed. */
export const secret = (description: string, options: Options = {}) =>
  Type.Optional(Type.String({ description, maxLength: MAX_TEXT, secret: true, ...options }))

export const flag = (description: string, fallback: boolean) =>
  Type.Boolean({ description, default: fallback })

export const integer = (description: string, fallback: number, minimum = 0, maximum = 2 ** 31) =>
  Type.Integer({ description, default: fallback, minimum, maximum })

/** Milliseconds after loading; written as `500ms`, `30s`, `5m`, `2h` or `7d`. */
export const duration = (description: string, fallback: string, options: Options = {}) =>
  Type.Number({ description, default: fallback, format: 'duration', ...options })

/** Bytes after loading; written as a number or as `64K`, `50M`, `2G` (powers of 1024). */
export const size = (description: string, fallback: string) =>
  Type.Number({ description, default: fallback, format: 'size' })

export const list = <T extends TSchema>(
  description: string,
  items: T,
  fallback: readonly unknown[],
  options: Options = {},
) => Type.Array(items, { description, default: fallback, maxItems: 10_000, ...options })

/** A map whose keys an operator chooses. */
export const map = <T extends TSchema>(
  description: string,
  keyFormat: Format | undefined,
  values: T,
  options: Options = {},
) =>
  Type.Record(Type.String(), values, {
    description,
    default: {},
    ...(keyFormat === undefined ? {} : { keyFormat }),
    ...options,
  })

/** One of a few words. */
export const choice = <const T extends readonly string[]>(
  description: string,
  values: T,
  fallback: NoInfer<T>[number],
) => Type.Unsafe<T[number]>({ enum: values, description, default: fallback })

type Frozen<T> = T extends readonly (infer I)[]
  ? readonly Frozen<I>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T

export type ConfigOf<T extends TSchema> = Frozen<Static<T>>
