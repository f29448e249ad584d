import { MatrixError, badJson, forbidden } from '../../core/errors.js'
import type { RoomEvent } from '../../core/event/types.js'
import { readPdu } from '../../core/event/format.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { parseJson } from '../../core/json/parse.js'
import { isUserId } from '../../core/ids/user-id.js'
import type { JsonObject } from '../../core/json/value.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { roomVersion } from '../../core/room-version/versions.js'
import { createPace } from '../../platform/pace.js'
import { aliasesOf } from '../../storage/tables/aliases.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import {
  bansOf,
  deleteRoomUpgrade,
  moveAliases,
  movePublication,
  putRoomUpgrade,
  roomUpgrades,
  type RoomUpgradeRow,
} from '../../storage/tables/room-upgrade.js'
import { requesterOf, type Requester } from '../requester.js'
import { applyEvent } from '../rooms/apply-event.js'
import { loadRoom, readState, readStateEvent, readWholeState, type RoomsContext } from '../rooms/context.js'
import { notInRoom } from '../rooms/not-in-room.js'
import { signedByPolicy } from '../rooms/policy-signing.js'
import { addLocalEvent } from '../rooms/add-local-event.js'
import {
  addAccepted,
  judgeLocalEvent,
  prepareLocalEvent,
  type Draft,
  type Prepared,
} from '../rooms/local-event.js'
import type { Memberships } from '../rooms/membership.js'
import { refuseSuspended } from '../rooms/send.js'
import {
  mapKey,
  openWorkingRoom,
  stateEvents,
  type RoomSnapshot,
  type WorkingRoom,
} from '../rooms/working-room.js'
import { CARRIED, carriedEvent, splitCanonicalAlias, upgradedCreateContent, type CarriedEvent } from './carried-state.js' // prettier-ignore
import { silencedPowerLevels, upgradedPowerLevels } from './upgraded-power-levels.js'
import { CREATE, POWER_LEVELS } from '../rooms/room-power.js'

export interface UpgradeInput {
  readonly roomId: string
  readonly newVersion: string
  /** Ignored by versions that know no such creators. */
  readonly additionalCreators?: readonly string[] | undefined
}

export interface RoomUpgrades {
  /**
   * Replaces a room by one of another version. The new room stands whole before the old one says that it is replaced; where
   * the old one then refuses, the new one is left again.
   * Throws M_UNSUPPORTED_ROOM_VERSION, M_BAD_JSON, M_FORBIDDEN; M_UNKNOWN with status 400 while somebody else upgrades the room.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#room-upgrades
   */
  upgrade(requester: Requester, input: UpgradeInput): Promise<{ replacement_room: string }>
  /** Job: goes on with upgrades that the end of a process cut short after the new room was there. */
  resume(): Promise<void>
}

const CANONICAL = { type: 'm.room.canonical_alias', stateKey: '' }
const MAX_CREATORS = 100
const MAX_CHILDREN = 1_000
const MAX_BANS = 20_000
/** Bans that one transaction writes. */
const BANS_AT_ONCE = 100
/** Upgrades gone on with at one time. */
const MAX_RESUMED = 100

/** The old room, as it is when the upgrade begins. */
interface OldRoom {
  readonly room: RoomSnapshot
  readonly create: RoomEvent
  readonly levels: RoomEvent | undefined
  readonly canonical: JsonObject
  readonly carried: readonly RoomEvent[]
  readonly aliases: ReadonlySet<string>
}

export function createRoomUpgrades(deps: {
  readonly context: RoomsContext
  readonly memberships: Pick<Memberships, 'leave' | 'forget'>
  memberProfile(userId: string): Promise<JsonObject>
}): RoomUpgrades {
  const { context } = deps
  const { local, writer, store } = context
  const underWay = new Map<
    string,
    { readonly key: string; readonly work: Promise<{ replacement_room: string }> }
  >()

  async function readOld(room: RoomSnapshot): Promise<OldRoom> {
    const keys = [CREATE, POWER_LEVELS, CANONICAL, ...CARRIED.map((type) => ({ type, stateKey: '' }))]
    const state = await readState(context, room, keys)
    const create = state.get(mapKey(CREATE))?.event
    if (create === undefined) throw notInRoom()
    const carried = CARRIED.flatMap((type) => state.get(mapKey({ type, stateKey: '' }))?.event ?? [])
    if (create.content['type'] === 'm.space') {
      const all = await readWholeState(context, room, room.root!)
      carried.push(
        ...all
          .map(({ event }) => event)
          .filter(({ type }) => type === 'm.space.child')
          .slice(0, MAX_CHILDREN),
      )
    }
    return {
      room,
      create,
      levels: state.get(mapKey(POWER_LEVELS))?.event,
      canonical: state.get(mapKey(CANONICAL))?.event.content ?? {},
      carried,
      aliases: new Set(await store.read('upgrade.aliases', () => aliasesOf(room.roomId))),
    }
  }

  /** The tombstone, judged and signed, that nobody has seen yet. Throws M_FORBIDDEN. */
  async function prepareTombstone(roomId: string, sender: string, replacement: string): Promise<RoomEvent> {
    const draft: Draft = {
      type: 'm.room.tombstone',
      sender,
      stateKey: '',
      content: { body: 'This room has been replaced', replacement_room: replacement },
    }
    const event = await writer.write(roomId, async (room) => {
      const prepared = await prepareLocalEvent(room, draft, local)
      await judgeLocalEvent(room, prepared, local)
      return prepared.event
    })
    return signedByPolicy(context, event)
  }

  async function prepareCreate(
    rules: RoomVersionRules,
    roomId: string,
    sender: string,
    content: JsonObject,
  ): Promise<Prepared> {
    const nowhere = openWorkingRoom(
      { nid: 0, roomId, rules, rev: 0, root: undefined, heads: [], lastPos: 0, partial: false },
      { local: new Set(), servers: new Map() },
    )
    const prepared = await prepareLocalEvent(nowhere, { ...CREATE, sender, content }, local)
    await judgeLocalEvent(nowhere, prepared, local)
    return prepared
  }

  /** Writes the whole new room but for its bans, or nothing of it. Gives its nid. */
  async function makeRoom(
    create: Prepared,
    old: OldRoom,
    upgrader: string,
    creators: ReadonlySet<string>,
  ): Promise<number> {
    const { rules, roomId } = create.event
    const levels = upgradedPowerLevels(old, rules, upgrader, creators)
    const { moved } = splitCanonicalAlias(old.canonical, (alias) => old.aliases.has(alias))
    const carried = old.carried.flatMap((event) => carriedEvent(event, rules, context.serverName) ?? [])
    const events: CarriedEvent[] = [
      { type: 'm.room.member', stateKey: upgrader, content: { ...(await deps.memberProfile(upgrader)), membership: 'join' } }, // prettier-ignore
      { ...POWER_LEVELS, content: levels.working },
      ...carried,
      ...(moved === undefined ? [] : [{ ...CANONICAL, content: moved }]),
    ]
    return writer.create(roomId, rules, async (room) => {
      const pace = createPace()
      await addAccepted(room, create, {}, local)
      for (const event of events) {
        await addLocalEvent(room, { ...event, sender: upgrader }, local)
        await pace()
      }
      return room.base.nid
    })
  }

  /** Whoever was banned stays so. Somebody whom the new room does not let be banned, such as a creator, is passed over. */
  async function carryBans(old: OldRoom, roomId: string, sender: string): Promise<void> {
    let after = ''
    for (let done = 0; done < MAX_BANS; done += BANS_AT_ONCE) {
      const from = after
      const rows = await store.read('upgrade.bans', () => bansOf(old.room.nid, from, BANS_AT_ONCE))
      const events = await context.events.byNids(rows.map((row) => row.event_nid))
      await writer.write(roomId, async (room) => {
        for (const { user_id: stateKey, event_nid: nid } of rows) {
          const { reason } = events.get(nid)?.event.content ?? {}
          const content = { membership: 'ban', ...(typeof reason === 'string' ? { reason } : {}) }
          await unlessRefused(() =>
            addLocalEvent(room, { type: 'm.room.member', sender, stateKey, content }, local),
          )
        }
      })
      if (rows.length < BANS_AT_ONCE) return
      after = rows.at(-1)!.user_id
    }
  }

  async function lastWords(old: OldRoom, tombstone: RoomEvent): Promise<void> {
    const { sender } = tombstone
    await writer.write(old.room.roomId, async (room) => {
      const options = { live: true, origin: context.serverName, relay: true }
      const stored = await applyEvent(room, tombstone, options, local)
      if (stored.rejected !== undefined || stored.softFailed) {
        throw forbidden('You may not replace this room any more')
      }
      const current = await currentContent(room)
      const { left } = splitCanonicalAlias(current.canonical, (alias) => old.aliases.has(alias))
      const silenced = current.levels === undefined ? undefined : silencedPowerLevels(current.levels)
      for (const draft of [
        ...(left === undefined ? [] : [{ ...CANONICAL, content: left }]),
        ...(silenced === undefined ? [] : [{ ...POWER_LEVELS, content: silenced }]),
      ]) {
        // Who may replace the room need not have the power for the rest.
        await unlessRefused(() => addLocalEvent(room, { ...draft, sender }, local))
      }
    })
  }

  async function currentContent(
    room: WorkingRoom,
  ): Promise<{ readonly canonical: JsonObject; readonly levels: RoomEvent | undefined }> {
    const state = await stateEvents(room, [CANONICAL, POWER_LEVELS], local.readers)
    return {
      canonical: state.get(mapKey(CANONICAL))?.event.content ?? {},
      levels: state.get(mapKey(POWER_LEVELS))?.event,
    }
  }

  /** The successor of a room that did not end: nobody but its maker has seen it. */
  async function abandon(requester: Requester, roomId: string, error: unknown): Promise<void> {
    context.logger.warn({ err: error, roomId }, 'a room was not replaced after all; its successor is left')
    try {
      await deps.memberships.leave(requester, { roomId, reason: 'The upgrade failed' })
      await deps.memberships.forget(requester, roomId)
    } catch (second) {
      context.logger.error({ err: second, roomId }, 'the successor of a room could not be left')
    }
  }

  /** From a successor that is made to the end. Each step may have been taken before. */
  async function finish(
    requester: Requester,
    old: OldRoom,
    successor: string,
    rules: RoomVersionRules,
    creators: ReadonlySet<string>,
    tombstone: RoomEvent,
  ): Promise<void> {
    const upgrader = requester.userId
    const { roomId } = old.room
    try {
      await carryBans(old, successor, upgrader)
      // Only now: it takes power that the upgrader may lack in the end.
      const { lasting } = upgradedPowerLevels(old, rules, upgrader, creators)
      await writer.write(successor, (room) =>
        addLocalEvent(room, { ...POWER_LEVELS, sender: upgrader, content: lasting }, local),
      )
      await lastWords(old, tombstone)
    } catch (error) {
      await abandon(requester, successor, error)
      await store.write('upgrade.abandon', () => deleteRoomUpgrade(roomId))
      throw error
    }
    await move(old.room, successor)
  }

  async function move(old: RoomSnapshot, successor: string): Promise<void> {
    const { nid } = await loadRoom(context, successor)
    await store.write('upgrade.move', function* () {
      yield* moveAliases(old.roomId, successor)
      yield* movePublication(old.nid, nid)
      yield* deleteRoomUpgrade(old.roomId)
    })
  }

  /** Throws what is no verdict on the upgrade, so that it is tried again. */
  async function resumeOne({ room_id: roomId, successor, upgrader, ...row }: RoomUpgradeRow): Promise<void> {
    const room = await loadRoom(context, roomId)
    const made = await context.loader.load(successor)
    const creators = JSON.parse(row.creators) as string[]
    const json = parseJson(row.tombstone)
    const read = json.ok ? readPdu(json.value, room.rules, { roomId }) : undefined
    const isMember = made?.root !== undefined && (await context.rosters.of(made.nid)).local.has(upgrader)
    if (made === undefined || !isMember || read?.ok !== true)
      return store.write('upgrade.forget', () => deleteRoomUpgrade(roomId))
    const ended = await readStateEvent(context, room, 'm.room.tombstone', '')
    if (ended?.event.id === read.event.id) return move(room, successor)
    context.logger.info({ roomId, successor }, 'the upgrade of a room is gone on with')
    const people = new Set(made.rules.creator === 'privileged' ? [upgrader, ...creators] : [])
    try {
      await finish(requesterOf(upgrader), await readOld(room), successor, made.rules, people, read.event)
    } catch (error) {
      // It was told, and the successor left.
      if (!(error instanceof MatrixError)) throw error
    }
  }

  async function upgrade(
    requester: Requester,
    roomId: string,
    rules: RoomVersionRules,
    additional: readonly string[],
  ): Promise<{ replacement_room: string }> {
    const upgrader = requester.userId
    const room = await loadRoom(context, roomId)
    const row = await store.read('upgrade.member', () => membershipOf(room.nid, upgrader))
    if (row?.membership !== 'join') throw notInRoom()
    const old = await readOld(room)
    const creators = { upgrader, additional }
    const hasOwnId = rules.roomIds === 'opaque'
    let create: Prepared
    let tombstone: RoomEvent
    if (hasOwnId) {
      const own = `!${context.random.string(18)}:${context.serverName}`
      tombstone = await prepareTombstone(roomId, upgrader, own)
      create = await prepareCreate(rules, own, upgrader, upgradedCreateContent(old.create, rules, tombstone.id, creators)) // prettier-ignore
    } else {
      create = await prepareCreate(rules, '', upgrader, upgradedCreateContent(old.create, rules, undefined, creators)) // prettier-ignore
      tombstone = await prepareTombstone(roomId, upgrader, create.event.roomId)
    }
    const successor = create.event.roomId
    const people = new Set(rules.creator === 'privileged' ? [upgrader, ...additional] : [])
    await store.write('upgrade.begin', () =>
      putRoomUpgrade({
        room_id: roomId,
        successor,
        upgrader,
        creators: JSON.stringify(additional),
        tombstone: canonicalJson(tombstone.pdu, 'lenient'),
      }),
    )
    try {
      await makeRoom(create, old, upgrader, people)
    } catch (error) {
      await store.write('upgrade.unmade', () => deleteRoomUpgrade(roomId))
      throw error
    }
    await finish(requester, old, successor, rules, people, tombstone)
    return { replacement_room: successor }
  }

  return {
    async upgrade(requester, { roomId, newVersion, additionalCreators = [] }) {
      refuseSuspended(requester)
      const rules = roomVersion(newVersion)
      if (rules === undefined) {
        throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', `Room version ${newVersion} is not supported`)
      }
      const additional = rules.creator === 'privileged' ? additionalCreators : []
      if (additional.length > MAX_CREATORS || !additional.every(isUserId)) {
        throw badJson(`additional_creators is a list of at most ${MAX_CREATORS} user ids`)
      }
      const key = JSON.stringify([requester.userId, newVersion, additional])
      const running = underWay.get(roomId)
      // A client that repeats its request waits for the same room.
      if (running?.key === key) return running.work
      if (running !== undefined) {
        throw new MatrixError('M_UNKNOWN', 'This room is being upgraded right now', {}, 400)
      }
      const work = upgrade(requester, roomId, rules, additional).finally(() => underWay.delete(roomId))
      underWay.set(roomId, { key, work })
      return work
    },

    async resume() {
      for (const row of await store.read('upgrade.left', () => roomUpgrades(MAX_RESUMED))) {
        if (underWay.has(row.room_id)) continue
        const work = resumeOne(row).then(() => ({ replacement_room: row.successor }))
        underWay.set(row.room_id, { key: '', work })
        await work
          .catch((error: unknown) => {
            context.logger.warn({ err: error, roomId: row.room_id }, 'an upgrade cannot be finished yet')
          })
          .finally(() => underWay.delete(row.room_id))
      }
    },
  }
}

async function unlessRefused(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
  }
}
