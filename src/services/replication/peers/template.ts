import { buildEvent } from '../../../core/event/build.js'
import { readReferences } from '../../../core/event/references.js'
import { MAX_AUTH_EVENTS, MAX_PREV_EVENTS } from '../../../core/event/size.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { isUserId } from '../../../core/ids/user-id.js'
import { isInteger64, toDouble } from '../../../core/json/integer.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import { KNOWN_ROOM_VERSIONS, roomVersion } from '../../../core/room-version/versions.js'
import { MatrixError } from '../../../core/errors.js'
import { encodePath, type FederationClient } from '../../federation/client.js'
import type { RoomsContext } from '../../rooms/context.js'
import { badAnswer } from './peer-failure.js'

export type Handshake = 'join' | 'leave' | 'knock'

/** What is taken from a peer's template: where the event stands in the graph, and who lets the user in. */
export interface Template {
  readonly rules: RoomVersionRules
  readonly prevEvents: readonly string[]
  readonly authEvents: readonly string[]
  readonly depth: number
  /** `join_authorised_via_users_server` */
  readonly authoriser: string | undefined
  /** Room versions 1 and 2. */
  readonly hashes: ReadonlyMap<string, string>
}

export interface TemplateRequest {
  readonly kind: Handshake
  readonly server: string
  readonly roomId: string
  readonly userId: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** Fields that templates have. One with others is refused: its sender means something else than we do. */
const FIELDS = new Set([
  'type', 'room_id', 'sender', 'state_key', 'content', 'depth', 'prev_events', 'auth_events', 'origin',
  'origin_server_ts', 'event_id', 'hashes', 'signatures', 'unsigned', 'prev_state', 'membership',
]) // prettier-ignore

/**
 * Asks a server for a template and reads what may be used of it. Throws `FederationError`; `MatrixError`
 * (M_INCOMPATIBLE_ROOM_VERSION) for a room version that this server does not know.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid
 */
export async function requestTemplate(
  client: Pick<FederationClient, 'request'>,
  request: TemplateRequest,
): Promise<Template> {
  const { kind, server, roomId, userId, timeoutMs, signal } = request
  const answer = await client.request({
    destination: server,
    method: 'GET',
    path: encodePath('/_matrix/federation/v1', `make_${kind}`, roomId, userId),
    ...(kind === 'leave' ? {} : { query: { ver: [...KNOWN_ROOM_VERSIONS.keys()] } }),
    timeoutMs,
    maxBytes: 256 * 1024,
    ...(signal === undefined ? {} : { signal }),
  })
  return readTemplate(answer, request)
}

/** Throws `FederationError` (`bad-response`) for a template of another event than the one that was asked for. */
export function readTemplate(
  answer: JsonObject,
  { kind, roomId, userId }: Pick<TemplateRequest, 'kind' | 'roomId' | 'userId'>,
): Template {
  const version = ownValue(answer, 'room_version') ?? '1'
  const rules = typeof version === 'string' ? roomVersion(version) : undefined
  if (rules === undefined) {
    throw new MatrixError(
      'M_INCOMPATIBLE_ROOM_VERSION',
      'This server does not know the version of the room',
      {
        room_version: typeof version === 'string' ? version.slice(0, 64) : '',
      },
    )
  }
  const event = ownValue(answer, 'event')
  if (!isObject(event)) throw badAnswer('the template is no event')
  const content = ownValue(event, 'content')
  const expected: [Json | undefined, string, string][] = [
    [ownValue(event, 'type'), 'm.room.member', 'type'],
    [ownValue(event, 'room_id'), roomId, 'room_id'],
    [ownValue(event, 'sender'), userId, 'sender'],
    [ownValue(event, 'state_key'), userId, 'state_key'],
    [isObject(content) ? ownValue(content, 'membership') : undefined, kind, 'membership'],
  ]
  for (const [value, wanted, name] of expected) {
    if (value !== wanted) throw badAnswer(`the template has another ${name} than was asked for`)
  }
  const surplus = Object.keys(event).find((key) => !FIELDS.has(key))
  if (surplus !== undefined) throw badAnswer(`the template has the unknown field ${surplus.slice(0, 64)}`)

  const prev = ownValue(event, 'prev_events')
  const auth = ownValue(event, 'auth_events')
  const prevEvents = readReferences(prev, rules, MAX_PREV_EVENTS)
  const authEvents = readReferences(auth, rules, MAX_AUTH_EVENTS)
  const depth = ownValue(event, 'depth')
  if (prevEvents === undefined || prevEvents.length === 0) throw badAnswer('the template has no prev_events')
  if (authEvents === undefined) throw badAnswer('the template has no auth_events')
  if (!isInteger64(depth) || toDouble(depth) < 0) throw badAnswer('the template has no depth')
  const authoriser = isObject(content) ? ownValue(content, 'join_authorised_via_users_server') : undefined
  if (authoriser !== undefined && (typeof authoriser !== 'string' || !isUserId(authoriser))) {
    throw badAnswer('the authorising user is not a user id')
  }
  return {
    rules,
    prevEvents,
    authEvents,
    depth: Math.min(toDouble(depth), Number.MAX_SAFE_INTEGER),
    authoriser: rules.restrictedJoin && kind === 'join' ? authoriser : undefined,
    hashes: new Map([...hashesOf(prev), ...hashesOf(auth)]),
  }
}

function* hashesOf(list: Json | undefined): Generator<readonly [string, string]> {
  for (const pair of Array.isArray(list) ? list : []) {
    if (!Array.isArray(pair)) continue
    const [id, hashes] = pair as readonly Json[]
    const sha256 = isObject(hashes) ? ownValue(hashes, 'sha256') : undefined
    if (typeof id === 'string' && typeof sha256 === 'string' && sha256.length <= 64) yield [id, sha256]
  }
}

/** Builds and signs the membership event from our own fields; of the template only its place in the graph is used. */
export function eventFromTemplate(
  context: Pick<RoomsContext, 'clock' | 'random' | 'serverName' | 'local'>,
  template: Template,
  own: { readonly roomId: string; readonly userId: string; readonly content: JsonObject },
): RoomEvent {
  const { rules, authoriser } = template
  // Who lets the user in is not the client's to say.
  const { join_authorised_via_users_server: _client, ...content } = own.content
  return buildEvent(
    {
      type: 'm.room.member',
      sender: own.userId,
      stateKey: own.userId,
      content:
        authoriser === undefined ? content : { ...content, join_authorised_via_users_server: authoriser },
      roomId: own.roomId,
      depth: template.depth,
      originServerTs: context.clock.now(),
      prevEvents: template.prevEvents,
      authEvents: template.authEvents,
      eventId:
        rules.eventIds === 'on-the-wire' ? `$${context.random.string(18)}:${context.serverName}` : undefined,
      referenceHashOf: (id) => template.hashes.get(id),
    },
    rules,
    context.local.signer,
  )
}
