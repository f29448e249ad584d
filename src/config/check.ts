import type { Fault } from './fault.js'
import type { Node } from './fields.js'
import { FORMATS, type Folders } from './formats.js'
import { nearest } from './nearest.js'
import { readSecret, type SecretSources } from './secrets.js'

type Path = Fault['path']
type Section = Readonly<Record<string, unknown>>

export interface CheckContext {
  readonly folders: Folders
  readonly sources: SecretSources
  /** Every key of the schema with the sections that have it, to help people who wrote one in the wrong place. */
  readonly places: ReadonlyMap<string, readonly string[]>
  report(fault: Fault): void
}

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const NAMES: Readonly<Record<string, string>> = {
  object: 'a section of keys',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: '`true` or `false`',
  null: '`null`',
}

const isConst = (node: Node): boolean => Object.hasOwn(node, 'const')

function wanted(node: Node): string {
  if (node.anyOf !== undefined) return node.anyOf.map(wanted).join(' or ')
  if (isConst(node)) return `\`${String(node.const)}\``
  if (node.enum !== undefined) return `one of ${node.enum.map((value) => `\`${String(value)}\``).join(', ')}`
  if (node.format === 'duration') return 'a duration such as `30s`, `5m` or `7d`'
  if (node.format === 'size') return 'a size such as `64K` or `50M`'
  return NAMES[node.type ?? ''] ?? 'any value'
}

/** What a person typed, shortened. Never called for secrets. */
function shown(value: unknown): string {
  if (isSection(value)) return 'a section of keys'
  if (Array.isArray(value)) return 'a list'
  const text = typeof value === 'string' ? `"${value}"` : String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

const mismatch = (node: Node, value: unknown, path: Path): Fault => ({
  path,
  problem: node.secret === true ? 'has the wrong type' : `is ${shown(value)}`,
  remedy: `Expected ${wanted(node)}.`,
})

const takesNull = (node: Node): boolean => node.type === 'null' || (node.anyOf?.some(takesNull) ?? false)

/**
 * Checks `value` against `node` and gives it with every default filled in and every format converted. Reports each fault
 * and goes on: a value at fault is undefined in what it gives.
 */
export function check(node: Node, given: unknown, path: Path, context: CheckContext): unknown {
  // A section whose keys are all commented out reads as null.
  const value = given === null && !takesNull(node) ? undefined : given
  if (value === undefined) {
    if (Object.hasOwn(node, 'default')) return check(node, node.default, path, context)
    context.report({
      path,
      problem: 'is missing',
      remedy: `Add it. ${node.description ?? `Expected ${wanted(node)}.`}`,
    })
    return undefined
  }
  if (node.anyOf !== undefined) return checkUnion(node, node.anyOf, value, path, context)
  if (isConst(node) ? node.const !== value : node.enum !== undefined && !node.enum.includes(value)) {
    context.report(mismatch(node, value, path))
    return undefined
  }
  if (node.format !== undefined) return checkFormat(node, value, path, context)
  switch (node.type) {
    case 'object':
      return checkObject(node, value, path, context)
    case 'array':
      return checkList(node, value, path, context)
    case 'number':
    case 'integer':
      return checkNumber(node, value, path, context)
    case 'string':
      return checkText(node, value, path, context)
    case 'boolean':
      if (typeof value === 'boolean') return value
      context.report(mismatch(node, value, path))
      return undefined
    default:
      return value
  }
}

/** The branch that a value is meant for, by its kind and by a key with a fixed value such as `driver`. */
function checkUnion(
  node: Node,
  branches: readonly Node[],
  value: unknown,
  path: Path,
  context: CheckContext,
): unknown {
  const fits = branches.filter((branch) => {
    if (isConst(branch)) return branch.const === value
    if (branch.type === 'object') return isSection(value)
    if (branch.type === 'array') return Array.isArray(value)
    if (branch.type === 'null') return value === null
    return typeof value === 'string' || typeof value === 'number'
  })
  const first = fits[0]
  if (first === undefined) {
    context.report(mismatch(node, value, path))
    return undefined
  }
  if (fits.length === 1 || !isSection(value)) return check(first, value, path, context)
  const key = Object.entries(first.properties ?? {}).find(([, property]) => isConst(property))?.[0] ?? ''
  const constant = (branch: Node): unknown => branch.properties?.[key]?.const
  const chosen = Object.hasOwn(value, key)
    ? fits.find((branch) => constant(branch) === value[key])
    : fits.find((branch) => branch.properties?.[key]?.default !== undefined)
  if (chosen !== undefined) return check(chosen, value, path, context)
  context.report(mismatch({ enum: fits.map(constant) }, value[key], [...path, key]))
  return undefined
}

function checkFormat(node: Node, value: unknown, path: Path, context: CheckContext): unknown {
  // A bare number is bytes; a bare number as a duration has no unit, and guessing one would be wrong half the time.
  const text = node.format === 'size' && typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string') {
    context.report(mismatch(node, value, path))
    return undefined
  }
  const result = FORMATS[node.format!](text, context.folders)
  if (result.ok) return result.value
  context.report({ path, problem: `${result.problem}: ${shown(value)}`, remedy: result.remedy })
  return undefined
}

function checkNumber(node: Node, value: unknown, path: Path, context: CheckContext): unknown {
  if (
    typeof value !== 'number' ||
    !Number.isFinite(value) ||
    (node.type === 'integer' && !Number.isInteger(value))
  ) {
    context.report(mismatch(node, value, path))
  } else if (
    value < (node.minimum ?? -Infinity) ||
    value > (node.maximum ?? Infinity) ||
    value <= (node.exclusiveMinimum ?? -Infinity)
  ) {
    const least =
      node.exclusiveMinimum === undefined ? `at least ${node.minimum}` : `more than ${node.exclusiveMinimum}`
    context.report({ path, problem: `is ${value}`, remedy: `Expected ${least} and at most ${node.maximum}.` })
  } else {
    return value
  }
  return undefined
}

function checkText(node: Node, value: unknown, path: Path, context: CheckContext): unknown {
  if (typeof value !== 'string') {
    context.report({
      ...mismatch(node, value, path),
      ...(typeof value === 'number' ? { remedy: 'Expected a text: put it into quotation marks.' } : {}),
    })
  } else if (value === '') {
    context.report({ path, problem: 'is empty', remedy: 'Write a value, or remove the key.' })
  } else if (value.length > (node.maxLength ?? Infinity)) {
    context.report({ path, problem: 'is too long', remedy: `At most ${node.maxLength} characters.` })
  } else {
    return value
  }
  return undefined
}

function checkList(node: Node, value: unknown, path: Path, context: CheckContext): unknown {
  if (!Array.isArray(value)) {
    context.report(mismatch(node, value, path))
    return undefined
  }
  const most = node.maxItems ?? 10_000
  if (value.length < (node.minItems ?? 0) || value.length > most) {
    context.report({
      path,
      problem: `has ${value.length} entries`,
      remedy: `Expected ${node.minItems ?? 0} to ${most}.`,
    })
    return undefined
  }
  return value.map((item, index) => check(node.items!, item, [...path, index], context))
}

function checkObject(node: Node, value: unknown, path: Path, context: CheckContext): unknown {
  if (!isSection(value)) {
    context.report(mismatch(node, value, path))
    return undefined
  }
  const entries = node.patternProperties
  if (entries !== undefined) return checkMap(node, Object.values(entries)[0]!, value, path, context)
  const properties = node.properties ?? {}
  const known = Object.entries(properties).flatMap(([key, property]) =>
    property.secret === true ? [key, `${key}_file`] : [key],
  )
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) context.report(unknownKey(key, known, path, context))
  }
  const required = new Set(node.required)
  const out: Record<string, unknown> = {}
  for (const [key, property] of Object.entries(properties)) {
    const at = [...path, key]
    const before = { faults: 0 }
    const own =
      property.secret === true
        ? readSecret(value, at, context.sources, (fault) => {
            before.faults += 1
            context.report(fault)
          })
        : Object.hasOwn(value, key)
          ? value[key]
          : undefined
    // A secret whose source is at fault is not also missing.
    if (before.faults > 0) continue
    if ((own === undefined || own === null) && !required.has(key) && !Object.hasOwn(property, 'default'))
      continue
    out[key] = check(property, own, at, context)
  }
  return out
}

/** A map with keys of the operator's choice; kept without a prototype, since `__proto__` is a name like any other. */
function checkMap(node: Node, item: Node, value: Section, path: Path, context: CheckContext): unknown {
  const out = Object.create(null) as Record<string, unknown>
  for (const key of Object.keys(value)) {
    const format = node.keyFormat === undefined ? undefined : FORMATS[node.keyFormat](key, context.folders)
    if (format?.ok === false) {
      context.report({ path: [...path, key], problem: format.problem, remedy: format.remedy })
    }
    out[key] = check(item, value[key], [...path, key], context)
  }
  return out
}

function unknownKey(key: string, known: readonly string[], path: Path, context: CheckContext): Fault {
  const meant = nearest(key, known)
  const elsewhere = context.places.get(key)
  let remedy = 'Remove it; `chancery generate-config` prints every key that there is.'
  if (elsewhere !== undefined)
    remedy = `It belongs under ${elsewhere.map((place) => `\`${place}\``).join(' or ')}.`
  if (meant !== undefined) remedy = `Did you mean \`${meant}\`?`
  return { path: [...path, key], problem: 'is not a known key', remedy }
}
