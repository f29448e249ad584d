import { isObject, type JsonObject } from './json.js'

/** A change of ours to one schema of the definitions. */
export interface Amendment {
  readonly operation: string
  readonly api?: 'client-server' | 'server-server'
  readonly status: number
  /** Where: names of properties, `[]` for the items of a list, `*` for the values of a map. */
  readonly at?: readonly string[]
  /** These must be there. */
  readonly require?: readonly string[]
  /** These need not be there, though the definitions say so. */
  readonly optional?: readonly string[]
  /** Nothing but the known fields may be there. */
  readonly closed?: true
  /** Keywords that are put over what stands there. */
  readonly put?: JsonObject
  /** Keywords that are taken away. */
  readonly drop?: readonly string[]
  /** Fields that the definitions forgot. */
  readonly properties?: JsonObject
  /** Why. */
  readonly because?: string
}

/** The schemas that a step leads to: all parts that have it. */
function step(schema: JsonObject, name: string): JsonObject[] {
  const found: JsonObject[] = []
  for (const key of ['allOf', 'anyOf', 'oneOf']) {
    const parts = schema[key]
    if (Array.isArray(parts)) for (const part of parts) if (isObject(part)) found.push(...step(part, name))
  }
  if (name === '[]') {
    if (isObject(schema['items'])) found.push(schema['items'])
  } else if (name === '*') {
    const additional = schema['additionalProperties']
    if (isObject(additional)) found.push(additional)
    if (isObject(schema['patternProperties']))
      found.push(...Object.values(schema['patternProperties']).filter(isObject))
  } else if (isObject(schema['properties'])) {
    const property = schema['properties'][name]
    if (isObject(property)) found.push(property)
  }
  return found
}

function relax(schema: JsonObject, names: readonly string[]): void {
  for (const key of ['allOf', 'anyOf', 'oneOf']) {
    const parts = schema[key]
    if (Array.isArray(parts)) for (const part of parts) if (isObject(part)) relax(part, names)
  }
  if (Array.isArray(schema['required']))
    schema['required'] = schema['required'].filter((name) => !names.includes(name as string))
}

/** A copy of the schema with the amendments. Throws where one names a place that is not there. */
export function applyOverlay(schema: JsonObject, amendments: readonly Amendment[]): JsonObject {
  const copy = structuredClone(schema)
  for (const { operation, at = [], require, optional, closed, drop = [], put, properties } of amendments) {
    let places: JsonObject[] = [copy]
    for (const name of at) places = places.flatMap((place) => step(place, name))
    if (places.length === 0)
      throw new Error(`the overlay of ${operation} names ${at.join('.')}, which is not there`)
    for (const place of places) {
      if (require !== undefined) {
        const before = Array.isArray(place['required']) ? place['required'] : []
        place['required'] = [...new Set([...before, ...require])]
      }
      if (optional !== undefined) relax(place, optional)
      if (closed) {
        place['properties'] ??= {}
        place['additionalProperties'] = false
      }
      if (properties !== undefined)
        place['properties'] = { ...(isObject(place['properties']) ? place['properties'] : {}), ...properties }
      for (const keyword of drop) delete place[keyword]
      if (put !== undefined) Object.assign(place, structuredClone(put))
    }
  }
  return copy
}
