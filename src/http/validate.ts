import { Type, type Static, type TObject, type TSchema } from 'typebox'
// Checks and no more: what `typebox/compile` has beside takes a tenth of the start of a node.
import { Compile, type Validator } from 'typebox/schema'
import { MatrixError } from '../core/errors.js'

interface Fault {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: { readonly requiredProperties?: readonly string[] }
}

const describe = (fault: Fault): string => {
  const where = fault.instancePath === '' ? '' : `${fault.instancePath.slice(1).replaceAll('/', '.')}: `
  return `${where}${fault.message}`
}

function matrixError(fault: Fault | undefined, errcode: 'M_BAD_JSON' | 'M_INVALID_PARAM'): MatrixError {
  if (fault === undefined) return new MatrixError(errcode, 'invalid')
  const missing = fault.keyword === 'required' ? fault.params.requiredProperties?.[0] : undefined
  if (missing !== undefined && fault.instancePath === '') {
    return new MatrixError('M_MISSING_PARAM', `Missing parameter: ${missing}`)
  }
  return new MatrixError(errcode, describe(fault))
}

/** Compiled for the first value that is checked: a node has hundreds of schemas, and would start the later for each of them. */
function compiling(schema: TSchema): () => Validator {
  let compiled: Validator | undefined
  return () => (compiled ??= Compile(schema))
}

const faultOf = (compiled: Validator, value: unknown): Fault | undefined =>
  compiled.Errors(value)[1][0] as Fault | undefined

/** A check of a request body: throws M_MISSING_PARAM or M_BAD_JSON for its first fault. */
export function bodyValidator<T extends TSchema>(schema: T): (value: unknown) => Static<T> {
  const check = compiling(schema)
  return (value) => {
    const compiled = check()
    if (compiled.Check(value)) return value as Static<T>
    throw matrixError(faultOf(compiled, value), 'M_BAD_JSON')
  }
}

/** Text to number, boolean or list where the schema says so; what does not convert stays text and fails the check. */
function convert(schema: TSchema & { type?: unknown; items?: TSchema }, values: readonly string[]): unknown {
  const first = values[0]!
  switch (schema.type) {
    case 'integer':
    case 'number':
      return /^-?\d{1,15}$/.test(first) ? Number(first) : first
    case 'boolean':
      return first === 'true' ? true : first === 'false' ? false : first
    case 'array':
      return values.map((value) => (schema.items === undefined ? value : convert(schema.items, [value])))
    default:
      return first
  }
}

/**
 * A check of the query string: throws M_MISSING_PARAM or M_INVALID_PARAM.
 * An optional text that is there but empty was not given: clients write `from=` for the first page.
 */
export function queryValidator<T extends TObject>(schema: T): (query: URLSearchParams) => Static<T> {
  const check = compiling(schema)
  const required = new Set(schema.required)
  const properties = Object.entries(schema.properties).map(
    ([name, property]: [string, TSchema & { type?: unknown }]) => ({
      name,
      property,
      emptyIsAbsent: property.type === 'string' && !required.has(name),
    }),
  )
  return (query) => {
    const value: Record<string, unknown> = {}
    for (const { name, property, emptyIsAbsent } of properties) {
      const values = query.getAll(name)
      if (values.length > 0 && !(emptyIsAbsent && values[0] === '')) value[name] = convert(property, values)
    }
    const compiled = check()
    if (compiled.Check(value)) return value as Static<T>
    throw matrixError(faultOf(compiled, value), 'M_INVALID_PARAM')
  }
}

/** A string short enough to be an identifier, a key or a name. */
export const Short = Type.String({ maxLength: 255 })
export const optional = Type.Optional
/** What clients leave out, or write as null, when they do not set it. */
export const given = <T extends TSchema>(schema: T) => optional(Type.Union([schema, Type.Null()]))
