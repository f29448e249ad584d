import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'

/** Something in a document that is not as it must be, and where: `members[3].keys[0].public_key`. */
export interface ListFault {
  readonly path: string
  readonly problem: string
}

/** Reads a foreign document, and notes every fault instead of ending at the first. */
export interface FieldReader {
  readonly faults: readonly ListFault[]
  readonly warnings: readonly ListFault[]
  fault(path: string, problem: string): void
  warn(path: string, problem: string): void
  /** A member of an object that must be a text; undefined, with a fault noted, where it is none or not `isGood`. */
  text(object: JsonObject, path: string, key: string, rule: TextRule): string | undefined
  /** A safe integer within bounds. `optional`: it may be absent. */
  integer(object: JsonObject, path: string, key: string, rule: IntegerRule): number | undefined
  /** The items of a list, those that are objects; empty where it is absent. */
  objects(object: JsonObject, path: string, key: string, max: number): readonly Located<JsonObject>[]
  /** The items of a list of texts. */
  texts(
    object: JsonObject,
    path: string,
    key: string,
    rule: TextRule & { readonly maxItems: number },
  ): readonly string[]
  /** Notes members that mean nothing here: mostly a slip of the pen. */
  known(object: JsonObject, path: string, keys: readonly string[]): void
}

export interface TextRule {
  readonly max: number
  /** Undefined: every text that is not too long will do. */
  readonly isGood?: (text: string) => boolean
  /** What it should be, behind "is not". */
  readonly what: string
}

export interface IntegerRule {
  readonly min: number
  readonly max: number
  readonly optional?: boolean
}

export interface Located<T> {
  readonly value: T
  readonly path: string
}

/** More are not told: whoever has so many needs another editor. */
const MAX_TOLD = 200

export function createFieldReader(): FieldReader {
  const faults: ListFault[] = []
  const warnings: ListFault[] = []
  const note = (list: ListFault[], path: string, problem: string): void => {
    if (list.length < MAX_TOLD) list.push({ path: path === '' ? 'the document' : path, problem })
  }
  const fault = (path: string, problem: string): void => note(faults, path, problem)
  const warn = (path: string, problem: string): void => note(warnings, path, problem)

  function list(object: JsonObject, path: string, key: string, max: number): readonly Json[] {
    const value = ownValue(object, key)
    if (value === undefined) return []
    if (!Array.isArray(value)) {
      fault(at(path, key), 'is not a list')
      return []
    }
    if (value.length > max) {
      fault(at(path, key), `has more than ${max} items`)
      return []
    }
    return value as readonly Json[]
  }

  function checkText(value: Json | undefined, path: string, rule: TextRule): string | undefined {
    if (value === undefined) fault(path, 'is missing')
    else if (typeof value !== 'string') fault(path, 'is not a text')
    else if (value.length > rule.max) fault(path, `is longer than ${rule.max} characters`)
    else if (rule.isGood?.(value) === false) fault(path, `is not ${rule.what}`)
    else return value
    return undefined
  }

  return {
    faults,
    warnings,
    fault,
    warn,
    text: (object, path, key, rule) => checkText(ownValue(object, key), at(path, key), rule),

    integer(object, path, key, { min, max, optional = false }) {
      const value = ownValue(object, key)
      if (value === undefined) {
        if (!optional) fault(at(path, key), 'is missing')
      } else if (typeof value !== 'number' || !Number.isSafeInteger(value) || Object.is(value, -0)) {
        fault(at(path, key), 'is not an integer')
      } else if (value < min || value > max) {
        fault(at(path, key), `is not within ${min} and ${max}`)
      } else return value
      return undefined
    },

    objects(object, path, key, max) {
      const found: Located<JsonObject>[] = []
      for (const [index, value] of list(object, path, key, max).entries()) {
        const where = `${at(path, key)}[${index}]`
        if (isObject(value)) found.push({ value, path: where })
        else fault(where, 'is not an object')
      }
      return found
    },

    texts(object, path, key, rule) {
      const found = new Set<string>()
      for (const [index, value] of list(object, path, key, rule.maxItems).entries()) {
        const where = `${at(path, key)}[${index}]`
        const text = checkText(value, where, rule)
        if (text === undefined) continue
        if (found.has(text)) fault(where, 'stands here a second time')
        found.add(text)
      }
      return [...found]
    },

    known(object, path, keys) {
      for (const key of Object.keys(object)) {
        if (!keys.includes(key)) warn(at(path, key.slice(0, 60)), 'means nothing here')
      }
    },
  }
}

const at = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)
