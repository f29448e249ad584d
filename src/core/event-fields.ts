import { splitPath } from './property-path.js'
import { isObject, ownValue, type Json, type JsonObject } from './json/value.js'

/**
 * Compiles the `event_fields` of a filter: gives what an event looks like with those fields alone. A field that the event lacks
 * is left out; one that names an object brings all of it.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter (event_fields)
 */
export function compileEventFields(fields: readonly string[]): (event: JsonObject) => JsonObject {
  const paths = fields.map(splitPath)
  return (event) => {
    const out: MutableTree = new Map()
    for (const path of paths) {
      const value = valueAt(event, path)
      if (value !== undefined) put(out, path, value)
    }
    return toJson(out)
  }
}

type MutableTree = Map<string, MutableTree | { readonly leaf: Json }>

function valueAt(event: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = event
  for (const part of path) {
    if (!isObject(value)) return undefined
    value = ownValue(value, part)
  }
  return value
}

function put(tree: MutableTree, path: readonly string[], value: Json): void {
  let node = tree
  for (const part of path.slice(0, -1)) {
    let next = node.get(part)
    // A shorter path has brought everything below it already.
    if (next !== undefined && !(next instanceof Map)) return
    if (next === undefined) {
      next = new Map()
      node.set(part, next)
    }
    node = next
  }
  node.set(path.at(-1)!, { leaf: value })
}

function toJson(tree: MutableTree): JsonObject {
  return Object.fromEntries(
    [...tree].map(([key, item]) => [key, item instanceof Map ? toJson(item) : item.leaf]),
  )
}
