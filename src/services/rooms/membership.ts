import { isOpenTo } from '../../core/auth/check.js'
import { MatrixError, badJson, forbidden, invalidParam } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { parseUserId } from '../../core/ids/user-id.js'
import type { JsonObject } from '../../core/json/value.js'
import { joinedRoomIds, membershipOf, type MembershipRow } from '../../storage/tables/memberships.js'
import type { Requester } from '../requester.js'
import type { Aliases } from './aliases.js'
import { alikeForStrangers, notInvited } from './alike-for-strangers.js'
import { applyEvent } from './apply-event.js'
import { refuseExternalKnock } from './access.js'
import { awaitMember } from './await-whole.js'
import { rejectOutside } from './reject-outside.js'
import { loadRoom, readStateEvent, type RoomsContext } from './context.js'
import { careForRoom } from './last-administrator.js'
import { notInRoom } from './not-in-room.js'
import { joinAuthority } from './join-authoriser.js'
import { isDeserted, isResident } from './residence.js'
import { refuseBlocked } from './blocked-rooms.js'
import { refuseGuest } from './guests.js'
import { addLocalEvent } from './add-local-event.js'
import { member, withReason } from './member-draft.js'
import { judgeLocalEvent, prepareLocalEvent, type Draft } from './local-event.js'
import type { OutsideMemberships } from './outside-memberships.js'
import { signedByPolicy } from './policy-signing.js'
import type { RemoteMemberships } from './remote-memberships.js'
import { refuseSuspended } from './send.js'
import { roomTarget } from './room-target.js'
import type { StoredEvent } from './stored-event.js'
import { mapKey, membershipIn, stateEvents, type RoomSnapshot } from './working-room.js'

export interface MemberInput {
  readonly roomId: string
  readonly userId: string
  readonly reason?: string | undefined
  /** Further keys of the member event, e.g. `is_direct`. */
  readonly content?: JsonObject
  /** Application services may date what they do. Milliseconds. */
  readonly ts?: number | undefined
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#room-membership */
export interface Memberships {
  /** By id or alias; gives the room's id. */
  join(
    requester: Requester,
    target: {
      readonly room: string
      readonly via: readonly string[]
      readonly reason?: string | undefined
      readonly content?: JsonObject
      /** As of `MemberInput`; of no account where another server makes the event. */
      readonly ts?: number | undefined
      /** An identity server's word that the user has an address that was invited, with who had invited it in `sender`. */
      readonly thirdPartySigned?: JsonObject
    },
  ): Promise<{ room_id: string }>
  knock(
    requester: Requester,
    target: { readonly room: string; readonly via: readonly string[]; readonly reason?: string | undefined },
  ): Promise<{ room_id: string }>
  invite(requester: Requester, input: MemberInput): Promise<void>
  /** Whether all these users may be invited, as far as can be told before there is a room. Throws M_NOT_FOUND, M_INVITE_BLOCKED. */
  checkInvitees(requester: Requester, userIds: readonly string[]): Promise<void>
  /** `isForGood`: the account goes, and is not kept as the last administrator. Throws M_FORBIDDEN where one is. */
  leave(
    requester: Requester,
    input: {
      readonly roomId: string
      readonly reason?: string | undefined
      readonly isForGood?: boolean
    },
  ): Promise<void>
  kick(requester: Requester, input: MemberInput): Promise<void>
  ban(requester: Requester, input: MemberInput): Promise<void>
  unban(requester: Requester, input: MemberInput): Promise<void>
  /**
   * A member event as a client writes it, through `PUT /state/m.room.member`: the same checks as the requests above.
   * Throws M_BAD_JSON, M_INVALID_PARAM besides.
   */
  put(
    requester: Requester,
    input: {
      readonly roomId: string
      readonly userId: string
      readonly content: JsonObject
      readonly ts?: number | undefined
    },
  ): Promise<{ event_id: string }>
  forget(requester: Requester, roomId: string): Promise<void>
  joinedRooms(userId: string): Promise<readonly string[]>
}

export interface MembershipDeps {
  readonly context: RoomsContext
  readonly aliases: Aliases
  readonly remote: RemoteMemberships
  readonly outside: OutsideMemberships
  memberProfile(userId: string): Promise<JsonObject>
  /** What an invite says of a local user whom this one invites. Default: `memberProfile`. */
  inviteeProfile?(userId: string, inviter: string): Promise<JsonObject>
  /** Servers that list a room, for who says none. */
  serversListing?(roomId: string): readonly string[]
  /** Throws M_INVITE_BLOCKED where the invited local user wants no invite from this one. */
  checkInvitable(userId: string, inviter: string): Promise<void>
  /** Throws where an invite to a room must not be rejected. */
  checkRejection?(userId: string, roomId: string): Promise<void>
  /** Makes the invite of an address one of the user. Throws M_FORBIDDEN, M_INVALID_PARAM. */
  acceptAddressInvite?(userId: string, roomId: string, signed: JsonObject): Promise<void>
  /** Whether a local account of this name exists. */
  userExists(userId: string): Promise<boolean>
}

const MEMBERSHIPS: ReadonlySet<string> = new Set(['join', 'invite', 'leave', 'ban', 'knock'])

export function createMemberships(deps: MembershipDeps): Memberships {
  const { context, remote, outside, inviteeProfile = deps.memberProfile } = deps
  const resolve = roomTarget(deps)

  const rowOf = (room: RoomSnapshot, userId: string): Promise<MembershipRow | undefined> =>
    context.store.read('rooms.membership', () => membershipOf(room.nid, userId))

  /** `check` is given the target's membership when the room has its turn: it may have changed since the request came. */
  async function change(
    draft: Draft & { roomId: string },
    check: (current: string | undefined) => void = () => undefined,
    isForGood = false,
  ): Promise<StoredEvent> {
    await awaitMember(context, draft.roomId, draft.sender, draft.stateKey!)
    try {
      return await context.writer.write(draft.roomId, async (room) => {
        const target = { type: 'm.room.member', stateKey: draft.stateKey! }
        const own = { type: 'm.room.member', stateKey: draft.sender }
        const members = await stateEvents(room, [target, own], context.local.readers)
        // Who is in a room is nothing to tell a stranger.
        const isOther = draft.stateKey !== draft.sender
        if (isOther && membershipIn(members.get(mapKey(own))) !== 'join') throw notInRoom()
        check(membershipIn(members.get(mapKey(target))))
        if (!isOther && draft.content['membership'] === 'leave' && !room.partial)
          await careForRoom(room, { ...draft, ...target }, context.lastAdministrator, isForGood, context)
        return addLocalEvent(room, draft, context.local)
      })
    } catch (error) {
      if (error instanceof MatrixError && error.errcode === 'M_NOT_FOUND') throw notInRoom()
      throw error
    }
  }

  function checkTarget(userId: string): void {
    if (parseUserId(userId) === undefined) throw invalidParam(`${userId} is not a user id`)
  }

  async function checkLocalInvitee(requester: Requester, userId: string): Promise<void> {
    if (!(await deps.userExists(userId))) {
      throw new MatrixError('M_NOT_FOUND', `There is no user ${userId} on this server`)
    }
    await deps.checkInvitable(userId, requester.userId)
  }

  /** The other server is told the room's name with an invite, so it must not be asked where its users could not come in. */
  async function refuseWhereClosed({ roomId, userId }: MemberInput): Promise<void> {
    const create = await readStateEvent(context, await loadRoom(context, roomId), 'm.room.create', '')
    if (create !== undefined && !isOpenTo(create.event, userId))
      throw forbidden('This room is for users of this server alone')
  }

  async function sendInvite(requester: Requester, input: MemberInput): Promise<StoredEvent> {
    checkTarget(input.userId)
    await refuseBlocked(context, input.roomId, requester.userId, input.userId)
    const server = serverNameOf(input.userId)!
    const local = server === context.serverName
    if (local) await checkLocalInvitee(requester, input.userId)
    await awaitMember(context, input.roomId, requester.userId, input.userId)
    const profile = local ? await inviteeProfile(input.userId, requester.userId) : {}
    const content = withReason({ ...profile, ...input.content, membership: 'invite' }, input.reason)
    const draft = member(requester.userId, input, content)
    if (local) return change(draft)
    // The other server signs before the room sees the event; the room goes on meanwhile.
    const prepared = await context.writer
      .write(input.roomId, async (room) => {
        const made = await prepareLocalEvent(room, draft, context.local)
        await judgeLocalEvent(room, made, context.local)
        return made
      })
      .catch((error: unknown) => {
        throw error instanceof MatrixError && error.errcode === 'M_NOT_FOUND' ? notInRoom() : error
      })
    await refuseWhereClosed(input)
    const signed = await remote.invite(await signedByPolicy(context, prepared.event), server)
    const verdict = await context.writer.write(input.roomId, (room) =>
      applyEvent(room, signed, { live: true, origin: context.serverName, relay: true }, context.local),
    )
    if (verdict.softFailed || verdict.rejected !== undefined) {
      throw forbidden('The room changed while the other server considered the invite')
    }
    return verdict
  }

  /** Joins a room that this server is in. Gives false where nobody of this server may let the user in. */
  async function joinHere(room: RoomSnapshot, input: MemberInput, content: JsonObject): Promise<boolean> {
    const by = await joinAuthority(context, room, input.userId)
    if (by.kind === 'refused') throw forbidden('You are in none of the rooms whose members may join this one')
    if (by.kind !== 'none-needed' && by.kind !== 'by') return false
    const authorised =
      by.kind === 'by' ? { ...content, join_authorised_via_users_server: by.userId } : content
    await change(member(input.userId, input, authorised))
    return true
  }

  const memberships: Memberships = {
    async join(requester, target) {
      refuseSuspended(requester)
      const { userId } = requester
      const { roomId, via } = await resolve(target.room, target.via)
      if (target.thirdPartySigned !== undefined)
        await deps.acceptAddressInvite?.(userId, roomId, target.thirdPartySigned)
      await refuseBlocked(context, roomId, requester.userId)
      const room = await context.loader.load(roomId)
      const row = room === undefined ? undefined : await rowOf(room, userId)
      const profile = await deps.memberProfile(userId)
      const content = withReason({ ...profile, ...target.content, membership: 'join' }, target.reason)
      if (row?.membership !== 'join') await refuseGuest(context, requester, room)
      const resident = room !== undefined && (await isResident(context, room))
      // Whether somebody unknown may come in, this server cannot tell while it does not know the members.
      const mayJoinHere = resident && (!room.partial || row?.membership === 'join')
      if (mayJoinHere) {
        if (row?.membership === 'join' && target.content === undefined) return { room_id: roomId }
        const joined = await alikeForStrangers(context, room, row, () =>
          joinHere(room, { roomId, userId, ts: target.ts }, content),
        )
        if (joined) return { room_id: roomId }
      }
      const servers = [...via]
      if (row?.membership === 'invite') servers.unshift(...outside.serversFor(row))
      // Who was in a room that this server has left is known no more; better than nothing, but not than what the client says.
      if (resident || (room !== undefined && servers.length === 0))
        servers.push(...(await context.rosters.of(room.nid)).servers.keys())
      const candidates = [...new Set(servers)].filter((server) => server !== context.serverName)
      if (candidates.length === 0)
        throw row === undefined ? notInvited() : forbidden('Nobody on this server may let you in')
      await remote.join(userId, roomId, candidates, content)
      return { room_id: roomId }
    },

    async knock(requester, target) {
      refuseSuspended(requester)
      const { userId } = requester
      refuseExternalKnock(context.local.access, userId)
      const { roomId, via } = await resolve(target.room, target.via)
      await refuseBlocked(context, roomId, requester.userId)
      const room = await context.loader.load(roomId)
      const content = withReason(
        { ...(await deps.memberProfile(userId)), membership: 'knock' },
        target.reason,
      )
      if (room?.partial === true)
        await remote.knock(
          userId,
          roomId,
          [...via, ...(await context.rosters.of(room.nid)).servers.keys()],
          content,
        )
      else if (room !== undefined && (await isResident(context, room)))
        await alikeForStrangers(context, room, await rowOf(room, userId), () =>
          change(member(userId, { roomId, userId }, content)),
        )
      else if (via.length === 0) throw notInvited()
      else await remote.knock(userId, roomId, via, content)
      return { room_id: roomId }
    },

    async invite(requester, input) {
      refuseSuspended(requester)
      await sendInvite(requester, input)
    },

    async checkInvitees(requester, userIds) {
      for (const userId of userIds) {
        checkTarget(userId)
        if (serverNameOf(userId) === context.serverName) await checkLocalInvitee(requester, userId)
      }
    },

    async put(requester, { roomId, userId, content: given, ts: wish }) {
      const ts = requester.appserviceId === undefined ? undefined : wish
      refuseSuspended(requester)
      checkTarget(userId)
      // Who lets a user into a restricted room is found out here, never said by a client.
      const { join_authorised_via_users_server: _via, ...content } = given
      const { membership } = content
      if (typeof membership !== 'string' || !MEMBERSHIPS.has(membership)) throw badJson('Not a membership')
      const isOwn = userId === requester.userId
      // A guest keeps to its own account.
      if (requester.isGuest && !isOwn)
        throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests change the membership of nobody else')
      const room = await context.loader.load(roomId)
      const row = room && (await rowOf(room, userId))
      if (membership === 'invite') {
        const { membership: _invite, ...rest } = content
        return { event_id: (await sendInvite(requester, { roomId, userId, content: rest, ts })).event.id }
      }
      if (isOwn && membership === 'leave' && row?.membership === 'invite')
        await deps.checkRejection?.(userId, roomId)
      if (isOwn && membership === 'join' && row?.membership !== 'join') {
        await memberships.join(requester, { room: roomId, via: [], content, ts })
      } else if (isOwn && membership === 'leave' && !(await isResident(context, room))) {
        await memberships.leave(requester, { roomId })
      } else {
        const draft = member(requester.userId, { roomId, userId, ts }, content)
        const act = async (): Promise<string> => (await change(draft)).event.id
        return { event_id: await (isOwn ? alikeForStrangers(context, room, row, act, notInRoom) : act()) }
      }
      const now = await loadRoom(context, roomId)
      const event = await readStateEvent(context, now, 'm.room.member', userId)
      if (event === undefined) throw notInRoom()
      return { event_id: event.event.id }
    },

    async leave(requester, input) {
      const { userId } = requester
      const room = await context.loader.load(input.roomId)
      const row = room === undefined ? undefined : await rowOf(room, userId)
      if (room === undefined || row === undefined) throw notInRoom()
      if (row.membership === 'leave') return
      if (row.membership === 'invite') await deps.checkRejection?.(userId, input.roomId)
      if (
        row.event_nid === null ||
        !((await isResident(context, room)) || (await isDeserted(context, room)))
      ) {
        if (row.membership === 'ban') throw forbidden('You are banned from this room')
        return rejectOutside(deps, requester.userId, { roomId: input.roomId, row, reason: input.reason })
      }
      await change(
        member(userId, { roomId: input.roomId, userId }, withReason({ membership: 'leave' }, input.reason)),
        undefined,
        input.isForGood,
      )
    },

    async kick(requester, input) {
      refuseSuspended(requester)
      checkTarget(input.userId)
      const draft = member(requester.userId, input, withReason({ membership: 'leave' }, input.reason))
      await change(draft, (current) => {
        if (current === undefined || current === 'leave' || current === 'ban')
          throw forbidden('That user is not in the room')
      })
    },

    async ban(requester, input) {
      refuseSuspended(requester)
      checkTarget(input.userId)
      await change(member(requester.userId, input, withReason({ membership: 'ban' }, input.reason)))
    },

    async unban(requester, input) {
      refuseSuspended(requester)
      checkTarget(input.userId)
      const draft = member(requester.userId, input, withReason({ membership: 'leave' }, input.reason))
      await change(draft, (current) => {
        if (current !== 'ban') throw forbidden('That user is not banned')
      })
    },

    async forget(requester, roomId) {
      const room = await context.loader.load(roomId)
      const row = room === undefined ? undefined : await rowOf(room, requester.userId)
      if (room === undefined || row === undefined) throw notInRoom()
      if (row.membership !== 'leave' && row.membership !== 'ban') {
        throw new MatrixError('M_UNKNOWN', 'Leave the room before you forget it', {}, 400)
      }
      await outside.forget(room.nid, requester.userId)
    },

    joinedRooms: (userId) => context.store.read('rooms.joined', () => joinedRoomIds(userId)),
  }
  return memberships
}
