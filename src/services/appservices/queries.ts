import { notFound } from '../../core/errors.js'
import { fitsId, isLegalText } from '../../core/ids/common.js'
import { isRoomAlias } from '../../core/ids/room-alias.js'
import { isUserId } from '../../core/ids/user-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { Logger } from '../../platform/logger.js'
import { createSemaphore, SemaphoreFullError, type Semaphore } from '../../platform/semaphore.js'
import { FederationError } from '../federation/federation-error.js'
import type { AppserviceClient, AppserviceRequest } from './client.js'
import type { Appservice, AppserviceRegistry } from './registry.js'

/** What application services are asked. One that fails or hangs has simply no answer. */
export interface AppserviceQueries {
  /** Whether an application service says that it has made the user. Asked for users of its namespace that are not there. */
  makeUser(userId: string): Promise<boolean>
  /** Whether one says that it has made the alias. */
  makeAlias(alias: string): Promise<boolean>
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#third-party-lookups */
  protocols(): Promise<JsonObject>
  /** Throws M_NOT_FOUND. */
  protocol(name: string): Promise<JsonObject>
  /** Users or locations of a network by its own fields; the list is empty where nobody knows any. Throws M_NOT_FOUND for a protocol that nobody has. */
  byProtocol(
    kind: LookupKind,
    protocol: string,
    fields: readonly (readonly [string, string])[],
  ): Promise<Json[]>
  /** What is behind an alias or a user id. Throws M_NOT_FOUND where nobody knows it. */
  byId(kind: LookupKind, id: string): Promise<Json[]>
}

export type LookupKind = 'user' | 'location'

const MAKE_TIMEOUT = 30_000
const LOOKUP_TIMEOUT = 10_000
/** Questions at once to each; and those that may wait for their turn. */
const AT_ONCE = 16
const WAITING = 100
const MAX_RESULTS = 1_000
const MAX_FIELDS = 50
const MAX_INSTANCES = 1_000

export function createAppserviceQueries(deps: {
  readonly registry: AppserviceRegistry
  readonly client: AppserviceClient
  readonly logger: Logger
}): AppserviceQueries {
  const { registry, client, logger } = deps
  const turns = new Map<string, Semaphore>(
    registry.all.map((one) => [one.id, createSemaphore({ permits: AT_ONCE, maxWaiting: WAITING })]),
  )
  /** The same question asked by many is asked once. */
  const underWay = new Map<string, Promise<Json | undefined>>()

  async function ask(appservice: Appservice, request: AppserviceRequest): Promise<Json | undefined> {
    if (appservice.registration.url === undefined) return undefined
    const key = `${appservice.id} ${request.path}`
    const running = underWay.get(key)
    if (running !== undefined) return await running
    const work = turns
      .get(appservice.id)!
      .run(() => client.askJson(appservice, request))
      .catch((error: unknown) => {
        if (!(error instanceof FederationError) && !(error instanceof SemaphoreFullError)) throw error
        logger.info(
          { appservice: appservice.id, reason: error.message },
          'an application service has no answer',
        )
        return undefined
      })
      .finally(() => underWay.delete(key))
    underWay.set(key, work)
    return await work
  }

  const make = async (appservices: readonly Appservice[], path: string): Promise<boolean> => {
    for (const appservice of appservices) {
      const answer = await ask(appservice, { method: 'GET', path, legacyPath: path, timeoutMs: MAKE_TIMEOUT })
      if (answer !== undefined) return true
    }
    return false
  }

  async function lookUp(appservices: readonly Appservice[], kind: LookupKind, tail: string): Promise<Json[]> {
    const path = `/thirdparty/${kind}${tail}`
    const answers = await Promise.all(
      appservices.map((appservice) =>
        ask(appservice, {
          method: 'GET',
          path,
          legacyPath: `/_matrix/app/unstable${path}`,
          timeoutMs: LOOKUP_TIMEOUT,
        }),
      ),
    )
    return answers.flatMap((answer) => resultsIn(kind, answer)).slice(0, MAX_RESULTS)
  }

  const speaking = (protocol: string): Appservice[] =>
    registry.all.filter(({ registration }) => registration.protocols.includes(protocol))

  /** Several application services may have instances of one protocol: the first says what it is. */
  async function metadata(protocol: string): Promise<JsonObject | undefined> {
    const tail = `/thirdparty/protocol/${encodeURIComponent(protocol)}`
    const answers = await Promise.all(
      speaking(protocol).map(async (appservice) => ({
        appservice,
        answer: await ask(appservice, {
          method: 'GET',
          path: tail,
          legacyPath: `/_matrix/app/unstable${tail}`,
          timeoutMs: LOOKUP_TIMEOUT,
        }),
      })),
    )
    const known = answers.flatMap(({ appservice, answer }) => {
      const protocolInfo = protocolIn(answer, appservice.id)
      return protocolInfo === undefined ? [] : [protocolInfo]
    })
    const [first] = known
    if (first === undefined) return undefined
    return { ...first, instances: known.flatMap((one) => one.instances).slice(0, MAX_INSTANCES) }
  }

  return {
    makeUser: async (userId) =>
      await make(
        registry.all.filter((one) => isUserId(userId) && one.ownsUser(userId)),
        `/users/${encodeURIComponent(userId)}`,
      ),
    makeAlias: async (alias) =>
      await make(
        registry.all.filter((one) => one.ownsAlias(alias)),
        `/rooms/${encodeURIComponent(alias)}`,
      ),

    async protocols() {
      const names = [...new Set(registry.all.flatMap(({ registration }) => registration.protocols))]
      const found = await Promise.all(names.map(async (name) => [name, await metadata(name)] as const))
      return Object.fromEntries(
        found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      )
    },

    async protocol(name) {
      const found = await metadata(name)
      if (found === undefined) throw notFound('This protocol is not known here')
      return found
    },

    async byProtocol(kind, protocol, fields) {
      const appservices = speaking(protocol)
      if (appservices.length === 0) throw notFound('This protocol is not known here')
      const query = new URLSearchParams()
      for (const [key, value] of fields.slice(0, MAX_FIELDS)) query.append(key, value)
      const found = await lookUp(appservices, kind, `/${encodeURIComponent(protocol)}?${query.toString()}`)
      if (found.length === 0)
        throw notFound(kind === 'user' ? 'No user was found' : 'No portal rooms were found')
      return found
    },

    async byId(kind, id) {
      const [name, isId] =
        kind === 'user' ? (['userid', isUserId] as const) : (['alias', isRoomAlias] as const)
      const asked = registry.all.filter(({ registration }) => registration.protocols.length > 0)
      const found = isId(id) ? await lookUp(asked, kind, `?${name}=${encodeURIComponent(id)}`) : []
      if (found.length === 0) throw notFound(kind === 'user' ? 'No user was found' : 'No location was found')
      return found
    },
  }
}

const isShort = (value: Json | undefined): value is string =>
  typeof value === 'string' && fitsId(value) && isLegalText(value)

/** What an application service answers goes to clients: only what has the form of a result does. */
function resultsIn(kind: LookupKind, answer: Json | undefined): JsonObject[] {
  if (!Array.isArray(answer)) return []
  const idKey = kind === 'user' ? 'userid' : 'alias'
  const isId = kind === 'user' ? isUserId : isRoomAlias
  return (answer as readonly Json[]).flatMap((item) => {
    if (!isObject(item)) return []
    const [id, protocol, fields] = [
      ownValue(item, idKey),
      ownValue(item, 'protocol'),
      ownValue(item, 'fields'),
    ]
    if (!isShort(id) || !isId(id) || !isShort(protocol) || !isObject(fields)) return []
    return [{ [idKey]: id, protocol, fields }]
  })
}

function protocolIn(
  answer: Json | undefined,
  appserviceId: string,
): (JsonObject & { readonly instances: readonly JsonObject[] }) | undefined {
  if (!isObject(answer)) return undefined
  const list = (key: string): readonly string[] | undefined => {
    const value = ownValue(answer, key)
    return Array.isArray(value) ? (value as readonly Json[]).filter(isShort) : undefined
  }
  const [userFields, locationFields] = [list('user_fields'), list('location_fields')]
  const [icon, types, instances] = [
    ownValue(answer, 'icon'),
    ownValue(answer, 'field_types'),
    ownValue(answer, 'instances'),
  ]
  if (userFields === undefined || locationFields === undefined || !isObject(types)) return undefined
  return {
    user_fields: userFields,
    location_fields: locationFields,
    icon: typeof icon === 'string' ? icon : '',
    field_types: types,
    instances: (Array.isArray(instances) ? (instances as readonly Json[]) : []).flatMap((item) => {
      if (!isObject(item)) return []
      const [network, desc, fields] = [
        ownValue(item, 'network_id'),
        ownValue(item, 'desc'),
        ownValue(item, 'fields'),
      ]
      if (!isShort(network) || typeof desc !== 'string' || !isObject(fields)) return []
      return [{ ...item, instance_id: networkInstance(appserviceId, network) }]
    }),
  }
}

/** The name by which clients ask for the rooms of a network. */
export const networkInstance = (appserviceId: string, networkId: string): string =>
  `${appserviceId}|${networkId}`
