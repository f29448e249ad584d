import { isObject, type Json, type JsonObject } from './json.js'

/** What a schema and everything it is put together from says of one object. */
interface Known {
  readonly properties: Map<string, JsonObject[]>
  readonly patterns: readonly (readonly [RegExp, JsonObject])[]
  /** Schemas of values under names that are not listed. */
  readonly rest: readonly JsonObject[]
  readonly items: readonly JsonObject[]
  /** Whether it says anything of its members at all. */
  readonly describes: boolean
}

function partsOf(schema: JsonObject): JsonObject[] {
  const parts = [schema]
  for (const key of ['allOf', 'anyOf', 'oneOf']) {
    const list = schema[key]
    if (Array.isArray(list)) for (const part of list) if (isObject(part)) parts.push(...partsOf(part))
  }
  return parts
}

function knownOf(schemas: readonly JsonObject[]): Known {
  const properties = new Map<string, JsonObject[]>()
  const patterns: [RegExp, JsonObject][] = []
  const rest: JsonObject[] = []
  const items: JsonObject[] = []
  let describes = false
  for (const part of schemas.flatMap(partsOf)) {
    if (isObject(part['properties'])) {
      describes = true
      for (const [name, schema] of Object.entries(part['properties'])) {
        properties.set(name, [...(properties.get(name) ?? []), isObject(schema) ? schema : {}])
      }
    }
    if (isObject(part['patternProperties'])) {
      describes = true
      for (const [pattern, schema] of Object.entries(part['patternProperties'])) {
        patterns.push([new RegExp(pattern), isObject(schema) ? schema : {}])
      }
    }
    const additional = part['additionalProperties']
    if (additional === true) rest.push({})
    else if (isObject(additional)) rest.push(additional)
    if (isObject(part['items'])) items.push(part['items'])
  }
  return { properties, patterns, rest, items, describes }
}

/** Names of experiments and vendors have a dot and do not begin with `m.`. */
const isNamespaced = (name: string): boolean => name.includes('.') && !name.startsWith('m.')

/** Fields that belong to one type of event, which the definitions of events in general do not know. */
const OF_EVENT_TYPES: Readonly<Record<string, readonly string[]>> = { 'm.room.redaction': ['redacts'] }
const isOfEventType = (event: JsonObject, name: string): boolean =>
  typeof event['type'] === 'string' && (OF_EVENT_TYPES[event['type']]?.includes(name) ?? false)

/**
 * What relates to an event, which the definitions of events leave to the prose.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events
 */
const RELATIONS: JsonObject = {
  properties: {
    'm.replace': {},
    'm.thread': { properties: { latest_event: {}, count: {}, current_user_participated: {} } },
    'm.reference': { properties: { chunk: { items: { properties: { event_id: {} } } } } },
  },
}

/**
 * A whole event between servers: its fields depend on the room's version, and the definitions of the handshakes name only
 * those of the membership.
 */
const isPdu = (node: JsonObject): boolean =>
  Array.isArray(node['auth_events']) && Array.isArray(node['prev_events'])

/**
 * The fields of a value that its schema does not know and that have no namespace, as paths (`rooms.join.*.colour`);
 * `unsigned.prev_sender` is let pass, since every server sends it and clients read it.
 * An object of which the schema says nothing is free.
 */
export function unknownFields(schema: JsonObject, value: unknown): string[] {
  const found = new Set<string>()
  const visit = (schemas: readonly JsonObject[], node: Json, path: string): void => {
    if (schemas.length === 0) return
    const known = knownOf(schemas)
    if (Array.isArray(node)) {
      for (const item of node) visit(known.items, item, `${path}[]`)
      return
    }
    if (!isObject(node) || isPdu(node)) return
    for (const [name, member] of Object.entries(node)) {
      const fitting = [
        ...(known.properties.get(name) ?? []),
        ...known.patterns.filter(([pattern]) => pattern.test(name)).map(([, of]) => of),
      ]
      const next = fitting.length > 0 ? fitting : known.rest
      const there = `${path}${path === '' ? '' : '.'}${known.properties.has(name) ? name : '*'}`
      if (next.length === 0 && name === 'm.relations' && path.endsWith('unsigned'))
        visit([RELATIONS], member, there)
      else if (next.length > 0) visit(next, member, there)
      else if (name === 'prev_sender' && path.endsWith('unsigned')) continue
      else if (known.describes && !isNamespaced(name) && !isOfEventType(node, name))
        found.add(`${path}${path === '' ? '' : '.'}${name}`)
    }
  }
  visit([schema], value as Json, '')
  return [...found].sort()
}
