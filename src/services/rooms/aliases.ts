import { MatrixError, forbidden, invalidParam, notFound } from '../../core/errors.js'
import { parseRoomAlias } from '../../core/ids/room-alias.js'
import { isObject } from '../../core/json/value.js'
import {
  aliasByName,
  aliasesOf,
  deleteAlias,
  insertAlias,
  type AliasRow,
} from '../../storage/tables/aliases.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import type { Requester } from '../requester.js'
import { loadRoom, readPowerLevels, readState, type RoomsContext } from './context.js'
import { notInRoom } from './not-in-room.js'
import { addLocalEvent } from './add-local-event.js'
import type { RemoteMemberships } from './remote-memberships.js'
import { mapKey } from './state-store.js'

const CANONICAL = { type: 'm.room.canonical_alias', stateKey: '' }
const HISTORY = { type: 'm.room.history_visibility', stateKey: '' }

/** The alias with this localpart on this server; throws M_INVALID_PARAM. */
export function newAlias(localpart: string, serverName: string): string {
  const alias = `#${localpart}:${serverName}`
  if (
    localpart === '' ||
    /[:\s]/.test(localpart) ||
    localpart.includes('\u0000') ||
    parseRoomAlias(alias) === undefined
  ) {
    throw invalidParam('The alias is not well formed')
  }
  return alias
}

export interface Aliases {
  /** The room behind an alias and servers that are in it. Errors: M_INVALID_PARAM, M_NOT_FOUND. */
  resolve(alias: string): Promise<{ readonly room_id: string; readonly servers: readonly string[] }>
  /** The same for an alias of this server alone: what other servers may ask. */
  resolveLocal(alias: string): Promise<{ readonly room_id: string; readonly servers: readonly string[] }>
  /** Errors: M_UNKNOWN when taken (409), M_FORBIDDEN, M_INVALID_PARAM. */
  set(requester: Requester, alias: string, roomId: string): Promise<void>
  remove(requester: Requester, alias: string): Promise<void>
  list(requester: Requester, roomId: string): Promise<{ readonly aliases: readonly string[] }>
}

/** What application services have to say of aliases of this server. */
export interface AliasRules {
  /** Throws M_EXCLUSIVE where the requester may not have such an alias. */
  check(requester: Requester, alias: string): void
  /** Whether the requester is an application service in whose namespace the alias lies. */
  controls(requester: Requester, alias: string): boolean
  /** Asks for an alias that is not there; true where one was made. */
  make(alias: string): Promise<boolean>
}

const NO_RULES: AliasRules = {
  check: () => undefined,
  controls: () => false,
  make: () => Promise.resolve(false),
}

export function createAliases(
  context: RoomsContext,
  remote: Pick<RemoteMemberships, 'resolveAlias'>,
  rules: AliasRules = NO_RULES,
): Aliases {
  const parse = (alias: string): { domain: string } => {
    const parsed = parseRoomAlias(alias)
    if (parsed === undefined) throw invalidParam('The alias is not well formed')
    return parsed
  }

  async function serversOf(roomId: string): Promise<string[]> {
    const room = await context.loader.load(roomId)
    if (room === undefined) return [context.serverName]
    const roster = await context.rosters.of(room.nid)
    const others = [...roster.servers.keys()].slice(0, 50)
    return roster.local.size > 0 ? [context.serverName, ...others] : others
  }

  async function isJoined(roomId: string, userId: string): Promise<boolean> {
    const room = await context.loader.load(roomId)
    if (room === undefined) return false
    const row = await context.store.read('rooms.membership', () => membershipOf(room.nid, userId))
    return row?.membership === 'join'
  }

  /** An alias is its creator's, those who may set the room's canonical alias, and the administrator's. */
  async function mayRemove(
    requester: Requester,
    alias: string,
    creator: string,
    roomId: string,
  ): Promise<boolean> {
    if (requester.isAdmin || rules.controls(requester, alias)) return true
    rules.check(requester, alias)
    if (creator === requester.userId) return true
    const room = await context.loader.load(roomId)
    if (room === undefined || !(await isJoined(roomId, requester.userId))) return false
    const levels = await readPowerLevels(context, room)
    return levels.user(requester.userId) >= levels.event('m.room.canonical_alias', true)
  }

  async function resolveLocal(alias: string): Promise<{ room_id: string; servers: string[] }> {
    const { domain } = parse(alias)
    const read = (): Promise<AliasRow | undefined> =>
      context.store.read('aliases.resolve', () => aliasByName(alias))
    let row = domain === context.serverName ? await read() : undefined
    if (row === undefined && domain === context.serverName && (await rules.make(alias))) row = await read()
    if (row === undefined) throw notFound(`Room alias ${alias} not found`)
    return { room_id: row.room_id, servers: await serversOf(row.room_id) }
  }

  return {
    resolveLocal,
    async resolve(alias) {
      const { domain } = parse(alias)
      return domain === context.serverName ? resolveLocal(alias) : remote.resolveAlias(alias)
    },

    async set(requester, alias, roomId) {
      const { domain } = parse(alias)
      if (domain !== context.serverName) throw invalidParam('The alias is another server’s')
      rules.check(requester, alias)
      if (
        !rules.controls(requester, alias) &&
        !requester.isAdmin &&
        !(await isJoined(roomId, requester.userId))
      ) {
        throw notInRoom()
      }
      const made = await context.store.write('aliases.set', () =>
        insertAlias({ alias, room_id: roomId, creator: requester.userId, ts: context.clock.now() }),
      )
      if (!made) throw new MatrixError('M_UNKNOWN', `The alias ${alias} is taken`, {}, 409)
    },

    async remove(requester, alias) {
      const { domain } = parse(alias)
      if (domain !== context.serverName) throw invalidParam('The alias is another server’s')
      const row = await context.store.read('aliases.find', () => aliasByName(alias))
      if (row === undefined) throw notFound(`Room alias ${alias} not found`)
      if (!(await mayRemove(requester, alias, row.creator, row.room_id))) {
        throw forbidden('The alias is somebody else’s')
      }
      await context.store.write('aliases.remove', () => deleteAlias(alias))
      await forgetCanonical(context, requester, alias, row.room_id)
    },

    async list(requester, roomId) {
      const room = await loadRoom(context, roomId)
      // NOTSPEC: administrators may look into every room; their tools ask here for its aliases.
      if (!requester.isAdmin && !(await isJoined(roomId, requester.userId))) {
        const visibility = (await readState(context, room, [HISTORY])).get(mapKey(HISTORY))
        if (visibility?.event.content['history_visibility'] !== 'world_readable') throw notInRoom()
      }
      return { aliases: await context.store.read('aliases.list', () => aliasesOf(roomId)) }
    },
  }
}

/** A removed alias should not stay in the room's `m.room.canonical_alias`; whoever may not change that leaves it. */
async function forgetCanonical(
  context: RoomsContext,
  requester: Requester,
  alias: string,
  roomId: string,
): Promise<void> {
  const room = await context.loader.load(roomId)
  if (room === undefined) return
  const current = (await readState(context, room, [CANONICAL])).get(mapKey(CANONICAL))?.event.content
  if (!isObject(current)) return
  const alts = Array.isArray(current['alt_aliases']) ? current['alt_aliases'] : []
  if (current['alias'] !== alias && !alts.includes(alias)) return
  const { alias: main, alt_aliases: _alts, ...rest } = current
  const kept = alts.filter((item) => item !== alias)
  const content = {
    ...rest,
    ...(main === alias || main === undefined ? {} : { alias: main }),
    ...(kept.length === 0 ? {} : { alt_aliases: kept }),
  }
  try {
    await context.writer.write(roomId, (working) =>
      addLocalEvent(
        working,
        { type: 'm.room.canonical_alias', sender: requester.userId, stateKey: '', content },
        context.local,
      ),
    )
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
  }
}
