import { MatrixError, badJson, forbidden, invalidParam } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { roomVersion } from '../../core/room-version/versions.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { deleteAlias, insertAlias } from '../../storage/tables/aliases.js'
import { setPublished } from '../../storage/tables/rooms.js'
import { aclDenies } from '../../core/server-acl.js'
import type { Requester } from '../requester.js'
import { presetOf, type CreateRoomInput, type Preset } from './create-room-input.js'
import type { RoomsContext } from './context.js'
import { withRetention } from './retention-at-creation.js'
import { trustedByAccess, withAccess } from './access-at-creation.js'
import { addLocalEvent } from './add-local-event.js'
import { addAccepted, judgeLocalEvent, prepareLocalEvent, type Draft } from './local-event.js'
import type { Memberships } from './membership.js'
import type { AddressInvite, AddressInvites } from './address-invites.js'
import { newRoomEventLevels } from './new-room-levels.js'
import { newAlias } from './aliases.js'
import { aliasesIn } from './canonical-alias.js'
import { refuseSuspended } from './send.js'
import { openWorkingRoom } from './working-room.js'

interface PresetState {
  readonly join_rule: string
  readonly history_visibility: string
  readonly guest_access: string
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom */
const PRESETS: Readonly<Record<Preset, PresetState>> = {
  private_chat: { join_rule: 'invite', history_visibility: 'shared', guest_access: 'can_join' },
  trusted_private_chat: { join_rule: 'invite', history_visibility: 'shared', guest_access: 'can_join' },
  public_chat: { join_rule: 'public', history_visibility: 'shared', guest_access: 'forbidden' },
}

const MAX_INVITES = 500
/** All of a new room's events are judged and written in one go. */
const MAX_INITIAL_STATE = 500
const MAX_ADDRESSES = 100
const INVITES_AT_ONCE = 10

/** Who besides the creator gets the creator's power. */
function powerLevelContent(
  rules: RoomVersionRules,
  creator: string,
  trusted: readonly string[],
  preset: Preset,
  override: JsonObject | undefined,
): JsonObject {
  const privileged = rules.creator === 'privileged'
  const users: Record<string, number> = {}
  if (!privileged) for (const user of [creator, ...trusted]) users[user] = 100
  const content: JsonObject = {
    users,
    users_default: 0,
    events: newRoomEventLevels(rules),
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    // Everybody may come into a public room: who may call others into it is left to those who look after it.
    invite: preset === 'public_chat' ? 50 : 0,
  }
  return { ...content, ...override }
}

function creationContent(
  rules: RoomVersionRules,
  creator: string,
  given: JsonObject,
  trusted: readonly string[],
): JsonObject {
  const { creator: _creator, room_version: _version, ...rest } = given
  const content: Record<string, Json> = { ...rest, room_version: rules.id }
  if (rules.creator === 'content') content['creator'] = creator
  if (rules.creator === 'privileged') {
    const additional = rest['additional_creators']
    if (additional !== undefined && !(Array.isArray(additional) && additional.every(isUserIdText))) {
      throw badJson('additional_creators is a list of user ids')
    }
    const all = new Set([...((additional as readonly string[] | undefined) ?? []), ...trusted])
    all.delete(creator)
    if (all.size > 0) content['additional_creators'] = [...all]
  }
  return content
}

const isUserIdText = (value: Json): boolean => typeof value === 'string' && parseUserId(value) !== undefined

function topicContent(topic: string): JsonObject {
  return { topic, 'm.topic': { 'm.text': [{ body: topic, mimetype: 'text/plain' }] } }
}

/** Everything that follows the create event, in the order that the specification gives. */
function draftsFor(
  input: CreateRoomInput,
  rules: RoomVersionRules,
  creator: string,
  profile: JsonObject,
  alias: string | undefined,
  preset: Preset,
  trusted: readonly string[],
  serverName: string,
): Draft[] {
  const state = (type: string, content: JsonObject, stateKey = ''): Draft => ({
    type,
    sender: creator,
    stateKey,
    content,
  })
  const chosen = PRESETS[preset]
  const drafts = new Map<string, Draft>()
  const put = (draft: Draft): void => void drafts.set(`${draft.type}\u0000${draft.stateKey}`, draft)

  put(state('m.room.member', { ...profile, membership: 'join' }, creator))
  put(
    state(
      'm.room.power_levels',
      powerLevelContent(rules, creator, trusted, preset, input.power_level_content_override),
    ),
  )
  if (alias !== undefined) put(state('m.room.canonical_alias', { alias }))
  put(state('m.room.join_rules', { join_rule: chosen.join_rule }))
  put(state('m.room.history_visibility', { history_visibility: chosen.history_visibility }))
  // Where there is no such event, guests stay outside.
  if (chosen.guest_access !== 'forbidden')
    put(state('m.room.guest_access', { guest_access: chosen.guest_access }))
  for (const item of input.initial_state ?? []) {
    const stateKey = item.state_key ?? ''
    if (item.type === 'm.room.create' || (item.type === 'm.room.member' && stateKey === creator)) {
      throw badJson(`initial_state may not hold ${item.type} of the creator`)
    }
    if (item.type === 'm.room.server_acl' && aclDenies(item.content, serverName)) {
      throw badJson('This access control list would shut out this server itself')
    }
    if (
      item.type === 'm.room.canonical_alias' &&
      [...aliasesIn(item.content)].some((named) => named !== alias)
    ) {
      throw new MatrixError('M_BAD_ALIAS', 'No other alias can point to a room that is not there yet')
    }
    put(state(item.type, item.content, stateKey))
  }
  if (input.name !== undefined) put(state('m.room.name', { name: input.name }))
  if (input.topic !== undefined) put(state('m.room.topic', topicContent(input.topic)))
  return [...drafts.values()]
}

export interface CreateRoomDeps {
  /** Throws M_EXCLUSIVE where the requester may not have the alias. */
  checkAlias?(requester: Requester, alias: string): void
  readonly context: RoomsContext
  readonly memberships: Memberships
  readonly addressInvites: AddressInvites
  /** The `displayname` and `avatar_url` that a member event carries. */
  memberProfile(userId: string): Promise<JsonObject>
}

export interface RoomCreation {
  /** Errors: M_UNSUPPORTED_ROOM_VERSION, M_INVALID_ROOM_STATE, M_ROOM_IN_USE, M_BAD_JSON, M_FORBIDDEN. */
  create(requester: Requester, input: CreateRoomInput): Promise<{ room_id: string }>
}

export function createRoomCreation(deps: CreateRoomDeps): RoomCreation {
  const { context } = deps
  let lastMoment = 0

  /**
   * Where a room's id is the hash of its create event, two rooms that one user makes in the same millisecond would be one. A clock
   * that was set back for longer than a moment is followed.
   */
  function momentOfItsOwn(): number {
    const now = context.clock.now()
    lastMoment = now <= lastMoment && lastMoment - now < 1_000 ? lastMoment + 1 : now
    return lastMoment
  }

  async function create(requester: Requester, asked: CreateRoomInput): Promise<{ room_id: string }> {
    refuseSuspended(requester)
    const creator = requester.userId
    const rules = asked.room_version === undefined ? context.defaultVersion : roomVersion(asked.room_version)
    if (rules === undefined) {
      throw new MatrixError(
        'M_UNSUPPORTED_ROOM_VERSION',
        `Room version ${asked.room_version} is not supported`,
      )
    }
    const { access, retention } = context.local
    const ruled = access === undefined || access.bypasses(requester.userId) ? asked : withAccess(asked, rules)
    const input = retention === undefined ? ruled : withRetention(ruled, retention.policy)
    const invites = [...new Set(input.invite ?? [])].filter((userId) => userId !== creator)
    if (invites.length > MAX_INVITES)
      throw invalidParam(`At most ${MAX_INVITES} users can be invited at once`)
    if ((input.initial_state?.length ?? 0) > MAX_INITIAL_STATE)
      throw invalidParam(`At most ${MAX_INITIAL_STATE} events can be in initial_state`)
    await deps.memberships.checkInvitees(requester, invites)
    const addresses = (input.invite_3pid ?? []).map(({ id_server, id_access_token, medium, address }) => ({
      idServer: id_server,
      accessToken: id_access_token,
      medium,
      address,
    }))
    if (addresses.length > MAX_ADDRESSES)
      throw invalidParam(`At most ${MAX_ADDRESSES} addresses can be invited at once`)
    for (const address of addresses) deps.addressInvites.check(address)
    const preset = presetOf(input)
    const alias =
      input.room_alias_name === undefined ? undefined : newAlias(input.room_alias_name, context.serverName)
    if (alias !== undefined) deps.checkAlias?.(requester, alias)
    const given = input.creation_content ?? {}
    if (given['m.federate'] === false) {
      const stranger = invites.find((userId) => serverNameOf(userId) !== context.serverName)
      if (stranger !== undefined) throw forbidden(`The room does not federate: ${stranger} cannot be invited`)
    }
    const trusted = preset === 'trusted_private_chat' ? trustedByAccess(invites, access) : []
    const profile = await deps.memberProfile(creator)
    const drafts = draftsFor(input, rules, creator, profile, alias, preset, trusted, context.serverName)

    // The id of a version 12 room is its create event's hash, so that event is made before the room has its turn.
    const provisional =
      rules.roomIds === 'opaque' ? `!${context.random.string(18)}:${context.serverName}` : ''
    const draft: Draft = {
      type: 'm.room.create',
      sender: creator,
      stateKey: '',
      content: creationContent(rules, creator, given, trusted),
      originServerTs: momentOfItsOwn(),
    }
    const empty = { local: new Set<string>(), servers: new Map<string, number>() }
    const nowhere = openWorkingRoom(
      { nid: 0, roomId: provisional, rules, rev: 0, root: undefined, heads: [], lastPos: 0, partial: false },
      empty,
    )
    const prepared = await prepareLocalEvent(nowhere, draft, context.local)
    await judgeLocalEvent(nowhere, prepared, context.local)
    const roomId = prepared.event.roomId

    if (alias !== undefined) {
      const claimed = await context.store.write('aliases.claim', () =>
        insertAlias({ alias, room_id: roomId, creator, ts: context.clock.now() }),
      )
      if (!claimed) throw new MatrixError('M_ROOM_IN_USE', 'This alias is taken')
    }
    const make = context.writer.create(roomId, rules, async (room) => {
      await addAccepted(room, prepared, {}, context.local)
      for (const next of drafts) {
        try {
          await addLocalEvent(room, next, context.local)
        } catch (error) {
          const isAccess = error instanceof MatrixError && error.extra['reason'] !== undefined
          if (
            !isAccess &&
            error instanceof MatrixError &&
            ['M_FORBIDDEN', 'M_BAD_JSON'].includes(error.errcode)
          ) {
            throw new MatrixError('M_INVALID_ROOM_STATE', `${next.type}: ${error.message}`)
          }
          throw error
        }
      }
      return room.base.nid
    })
    const nid = await make.catch(async (error: unknown) => {
      if (alias !== undefined) await context.store.write('aliases.release', () => deleteAlias(alias))
      throw error
    })
    if (input.visibility === 'public') {
      await context.store.write('rooms.publish', () => setPublished(nid, true))
    }
    await sendInvites(requester, roomId, invites, addresses, input.is_direct === true)
    return { room_id: roomId }
  }

  /**
   * The room is there: an invite that another server does not take is no reason to tell the client that it is not. Users of this server are
   * invited together; others few at a time, as each invite waits for their server.
   */
  async function sendInvites(
    requester: Requester,
    roomId: string,
    userIds: readonly string[],
    addresses: readonly AddressInvite[],
    isDirect: boolean,
  ): Promise<void> {
    const content = isDirect ? { is_direct: true } : {}
    const tried = async (userId: string | undefined, sent: Promise<void>): Promise<void> => {
      try {
        await sent
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error
        context.logger.warn({ err: error, roomId, userId }, 'an invite to a new room was refused')
      }
    }
    const invite = (userId: string): Promise<void> =>
      tried(userId, deps.memberships.invite(requester, { roomId, userId, content }))
    const isLocal = (userId: string): boolean => serverNameOf(userId) === context.serverName
    await Promise.all(userIds.filter(isLocal).map(invite))
    const remote = userIds.filter((userId) => !isLocal(userId))
    for (let i = 0; i < remote.length; i += INVITES_AT_ONCE) {
      await Promise.all(remote.slice(i, i + INVITES_AT_ONCE).map(invite))
    }
    for (let i = 0; i < addresses.length; i += INVITES_AT_ONCE) {
      const some = addresses.slice(i, i + INVITES_AT_ONCE)
      await Promise.all(
        some.map((address) =>
          tried(undefined, deps.addressInvites.invite(requester, { roomId, ...address, content })),
        ),
      )
    }
  }

  return { create }
}
