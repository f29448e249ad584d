import { Compile } from 'typebox/schema'
import type { Definitions, Operation } from './definitions.js'
import type { JsonObject } from './json.js'
import { applyOverlay, type Amendment } from './overlay.js'
import { unknownFields } from './unknown-fields.js'

/** An answer as a client saw it. */
export interface Seen {
  readonly method: string
  /** The path as sent, without the query. */
  readonly path: string
  readonly status: number
  readonly contentType: string | null
  /** The parsed JSON; anything where the content type is another. */
  readonly body: unknown
}

export interface ContractChecker {
  /** What is wrong with the answer, in one sentence each; empty where nothing is, or where no operation is meant. */
  check(seen: Seen): string[]
  /** The operation that a request means. */
  operationId(method: string, path: string): string | undefined
}

const ERROR: JsonObject = {
  type: 'object',
  required: ['errcode', 'error'],
  properties: {
    // One of them is none of these forms, and clients know it as it is.
    errcode: {
      type: 'string',
      pattern: '^(M_[A-Z0-9_]+|ORG_MATRIX_EXPIRED_ACCOUNT|[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)+)$',
    },
    error: { type: 'string', minLength: 1 },
    retry_after_ms: { type: 'integer', minimum: 0 },
    soft_logout: { type: 'boolean' },
  },
}

/** A request for more authentication, which operations give under 401 whether their definition lists it or not. */
const AUTHENTICATION: JsonObject = {
  type: 'object',
  required: ['flows', 'session'],
  properties: {
    flows: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['stages'],
        properties: { stages: { type: 'array', items: { type: 'string' } } },
      },
    },
    params: { type: 'object', additionalProperties: { type: 'object' } },
    session: { type: 'string', minLength: 1 },
    completed: { type: 'array', items: { type: 'string' } },
    errcode: { type: 'string' },
    error: { type: 'string' },
  },
}

/** Refusals of any operation, whatever its definition lists under the same status. */
const GENERAL = new Set([
  'M_MISSING_TOKEN',
  'M_UNKNOWN_TOKEN',
  'M_USER_LOCKED',
  'M_USER_SUSPENDED',
  'M_LIMIT_EXCEEDED',
  'M_UNRECOGNIZED',
  'M_GUEST_ACCESS_FORBIDDEN',
])

/** Older names of the same routes, as the definitions know them. */
function currentPath(path: string): string {
  return path
    .replace(/^\/_matrix\/client\/r0\//, '/_matrix/client/v3/')
    .replace(/^\/_matrix\/media\/(r0|v1)\/(?!create)/, '/_matrix/media/v3/')
    .replace(/\/state\/([^/]+)\/?$/, '/state/$1/{stateKey}')
}

interface Fault {
  readonly instancePath: string
  readonly message: string
}

export function createChecker(definitions: Definitions, overlay: readonly Amendment[]): ContractChecker {
  const schemas = new Map<string, JsonObject | undefined>()
  const compiled = new Map<JsonObject, ReturnType<typeof Compile>>()

  /** The schema of one status with our amendments. */
  function schemaOf(operation: Operation, status: number): JsonObject | undefined {
    const key = `${operation.api} ${operation.id} ${status}`
    if (!schemas.has(key)) {
      const schema = operation.responses.get(status)
      const amendments = overlay.filter(
        (one) =>
          one.operation === operation.id &&
          one.status === status &&
          (one.api ?? 'client-server') === operation.api,
      )
      schemas.set(key, schema === undefined ? undefined : applyOverlay(schema, amendments))
    }
    return schemas.get(key)
  }

  function faultsOf(schema: JsonObject, body: unknown): string[] {
    let validator = compiled.get(schema)
    if (validator === undefined) compiled.set(schema, (validator = Compile(schema)))
    if (validator.Check(body)) return []
    const [, errors] = validator.Errors(body) as unknown as [boolean, Fault[]]
    return errors.slice(0, 5).map((fault) => `${fault.instancePath || '/'}: ${fault.message}`)
  }

  function against(schema: JsonObject, body: unknown): string[] {
    return [
      ...faultsOf(schema, body),
      ...unknownFields(schema, body).map((field) => `unknown field without a namespace: ${field}`),
    ]
  }

  function faultsFor(operation: Operation, seen: Seen): string[] {
    const { status, body } = seen
    const isJson = seen.contentType?.toLowerCase().startsWith('application/json') ?? false
    const schema = schemaOf(operation, status)
    if (status >= 400) {
      if (!isJson) return [`an error must be application/json, not ${seen.contentType ?? 'nothing'}`]
      const { errcode, flows } = (body ?? {}) as { errcode?: unknown; flows?: unknown }
      if (status === 401 && (flows !== undefined || errcode === undefined))
        return against(AUTHENTICATION, body)
      const faults = faultsOf(ERROR, body)
      const general = typeof errcode === 'string' && GENERAL.has(errcode)
      return schema === undefined || general ? faults : [...new Set([...faults, ...faultsOf(schema, body)])]
    }
    if (!operation.responses.has(status)) return [`the status ${status} is not defined`]
    if (schema === undefined) return []
    if (!isJson) return [`the content type is ${seen.contentType ?? 'missing'}, not application/json`]
    return against(schema, body)
  }

  return {
    operationId: (method, path) => definitions.operationsFor(method, currentPath(path))[0]?.id,
    check(seen) {
      const operations = definitions.operationsFor(seen.method, currentPath(seen.path))
      let first: string[] | undefined
      for (const operation of operations) {
        const faults = faultsFor(operation, seen)
        if (faults.length === 0) return []
        first ??= faults.map((fault) => `${operation.id} ${seen.status}: ${fault}`)
      }
      return first ?? []
    },
  }
}
