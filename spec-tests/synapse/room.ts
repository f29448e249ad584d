import { createRoom, eventually, sendText, v3, type User } from '../harness/client.js'
import { sameRoom, type ClientEvent } from './compare.js'
import type { Pair, Side } from './pair.js'

const enc = encodeURIComponent
const WAIT_MS = 20_000

export const inRoom = (roomId: string, rest: string): string => v3(`/rooms/${enc(roomId)}/${rest}`)

/** Who made a room, and who comes to it from the other server. */
export interface Roles {
  readonly host: Side
  readonly guest: Side
}

export type SideName = Side['name']
export const SIDES: readonly SideName[] = ['chancery', 'synapse']

/** A test runs once with each server as the host. */
export function rolesOf(pair: Pair, host: SideName): Roles {
  return host === 'chancery'
    ? { host: pair.chancery, guest: pair.synapse }
    : { host: pair.synapse, guest: pair.chancery }
}

/** A room of the host's first user. In rooms of version 12 the creator must not stand in the power levels. */
export async function hostedRoom(
  { host }: Roles,
  version: string,
  { powers, ...body }: { readonly powers?: Readonly<Record<string, number>> } & Record<string, unknown> = {},
): Promise<string> {
  const owner = Number(version) >= 12 ? {} : { [host.first.userId]: 100 }
  const override = powers && { power_level_content_override: { users: { ...owner, ...powers } } }
  return createRoom(host.first, { preset: 'public_chat', room_version: version, ...override, ...body })
}

export const join = (user: User, roomId: string, via: Side): Promise<unknown> =>
  user.ok('POST', v3(`/join/${enc(roomId)}`), {}, { server_name: via.serverName, via: via.serverName })

/** Waits until the user has the invite, as a client sees it. */
export const invited = (user: User, roomId: string): Promise<unknown> =>
  eventually(
    `${user.userId} is invited`,
    async () => (await user.ok('GET', v3('/sync'))).rooms?.invite?.[roomId],
    WAIT_MS,
  )

export const membership = async (viewer: User, roomId: string, of: User): Promise<string | undefined> =>
  (await viewer.call('GET', inRoom(roomId, `state/m.room.member/${enc(of.userId)}`))).body.membership

/** Waits until the viewer's server has the membership. */
export const becomes = (viewer: User, roomId: string, of: User, wanted: string): Promise<unknown> =>
  eventually(
    `${of.userId} is ${wanted} for ${viewer.userId}`,
    async () => (await membership(viewer, roomId, of)) === wanted,
    WAIT_MS,
  )

/** Waits until the user can read the event. */
export const sees = (user: User, roomId: string, eventId: string, ms = WAIT_MS): Promise<ClientEvent> =>
  eventually(
    `${user.userId} sees ${eventId}`,
    async () => {
      const answer = await user.call('GET', inRoom(roomId, `event/${enc(eventId)}`))
      return answer.status === 200 ? (answer.body as ClientEvent) : undefined
    },
    ms,
  )

/** Says something, and waits until the other reads it. */
export async function tells(from: User, to: User, roomId: string, text: string): Promise<string> {
  const eventId = await sendText(from, roomId, text)
  await sees(to, roomId, eventId)
  return eventId
}

export const setState = (user: User, roomId: string, type: string, content: object, key = ''): Promise<unknown> =>
  user.ok('PUT', inRoom(roomId, `state/${type}/${enc(key)}`), content) // prettier-ignore

/** Both servers agree on the room, seen by the host's first user and a guest. */
export const agree = (roles: Roles, roomId: string, guest: User, inOrder = true): Promise<void> =>
  sameRoom(roomId, { side: roles.host, user: roles.host.first }, { side: roles.guest, user: guest }, inOrder)
