import { badJson, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { isLegalText, utf8Length } from '../../core/ids/common.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import * as rows from '../../storage/tables/account-data.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store, Tx } from '../../storage/tx.js'

/** Global data has the empty string for a room. SPEC: https://spec.matrix.org/v1.19/client-server-api/#client-config */
export interface AccountData {
  /** Throws M_INVALID_PARAM, M_TOO_LARGE; M_BAD_JSON with status 405 for types that the server manages. */
  set(userId: string, roomId: string, type: string, content: JsonObject): Promise<void>
  /**
   * Deletes it, as setting an empty object does; clients get the empty object in `/sync`. What is not there stays away. Errors as of `set`.
   * NOTSPEC: MSC3391.
   */
  delete(userId: string, roomId: string, type: string): Promise<void>
  /** Throws M_INVALID_PARAM, M_NOT_FOUND. */
  get(userId: string, roomId: string, type: string): Promise<JsonObject>
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#room-tagging */
  tags(userId: string, roomId: string): Promise<JsonObject>
  setTag(userId: string, roomId: string, tag: string, content: JsonObject): Promise<void>
  deleteTag(userId: string, roomId: string, tag: string): Promise<void>
  /** For other services, of any type, in their own transactions; they notify. Gives the position. */
  put(userId: string, roomId: string, type: string, content: JsonObject): Tx<number>
}

/** The server writes these itself. */
const MANAGED: ReadonlySet<string> = new Set(['m.fully_read', 'm.push_rules'])
const MAX_CONTENT_BYTES = 256 * 1024
const MAX_ENTRIES = 20_000
/** Of one account: an initial /sync carries all of it in one answer. */
const MAX_TOTAL_BYTES = 16 * 1024 * 1024
/** Smaller entries are bounded by their number; what the large ones add up to is asked only where one is written. */
const LARGE_BYTES = 2 * 1024
const MAX_NAME_BYTES = 255

function checkName(what: string, name: string): void {
  if (name === '' || utf8Length(name) > MAX_NAME_BYTES || !isLegalText(name))
    throw invalidParam(`${what} must have 1 to ${MAX_NAME_BYTES} bytes and no NUL`)
}

function checkPlace(roomId: string, type: string): void {
  if (roomId !== '' && !isRoomId(roomId)) throw invalidParam('This is not a room id')
  checkName('The type', type)
}

function checkSettable(roomId: string, type: string): void {
  checkPlace(roomId, type)
  if (MANAGED.has(type)) throw new MatrixError('M_BAD_JSON', `${type} is not set in this way`, {}, 405)
}

function textOf(content: JsonObject): string {
  const text = JSON.stringify(content)
  if (Buffer.byteLength(text) > MAX_CONTENT_BYTES)
    throw new MatrixError('M_TOO_LARGE', `Account data of one type has at most ${MAX_CONTENT_BYTES} bytes`)
  return text
}

const tagsIn = (content: string | undefined): JsonObject => {
  const tags = content === undefined ? undefined : (JSON.parse(content) as JsonObject)['tags']
  return isObject(tags) ? tags : {}
}

/** The entries as an object in which every key is an own one, `__proto__` too. */
const objectOf = (entries: Iterable<readonly [string, Json]>): JsonObject => Object.fromEntries(entries)

export function createAccountData(deps: {
  readonly store: Store
  readonly notifier: Pick<Notifier, 'notify'>
  /** After a client has set something, for whoever caches it. */
  onSet?(userId: string, type: string): void
}): AccountData {
  const { store, notifier } = deps

  /** Throws M_RESOURCE_LIMIT_EXCEEDED where the account would have too much with this entry. */
  function* checkQuota(userId: string, roomId: string, type: string, text: string, isNew: boolean): Tx<void> {
    if (isNew && (yield* rows.countAccountData(userId)) >= MAX_ENTRIES)
      throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', 'The account has too many entries of account data')
    const size = Buffer.byteLength(text)
    if (size <= LARGE_BYTES) return
    const others = yield* rows.accountDataBytesBeside(userId, roomId, type)
    if (others + size > MAX_TOTAL_BYTES)
      throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', 'The account has too much account data')
  }

  function* put(userId: string, roomId: string, type: string, content: JsonObject): Tx<number> {
    const text = textOf(content)
    const before = yield* rows.accountData(userId, roomId, type)
    yield* checkQuota(userId, roomId, type, text, before === undefined)
    const pos = yield* allocatePosition()
    yield* rows.putAccountData(userId, roomId, type, text, pos)
    return pos
  }

  /** `change` says whether it changed anything. */
  async function changeTags(
    userId: string,
    roomId: string,
    change: (tags: Map<string, Json>) => boolean,
  ): Promise<void> {
    await store.write('accountData.tags', function* () {
      // First of all, and not as late as elsewhere: its lock keeps two changes from reading the same old tags.
      const pos = yield* allocatePosition()
      const before = yield* rows.accountData(userId, roomId, 'm.tag')
      const tags = new Map(Object.entries(tagsIn(before)))
      if (!change(tags)) return
      const text = textOf({ tags: objectOf(tags) })
      yield* checkQuota(userId, roomId, 'm.tag', text, before === undefined)
      yield* rows.putAccountData(userId, roomId, 'm.tag', text, pos)
    })
    notifier.notify([userId])
  }

  function checkTag(roomId: string, tag: string): void {
    checkPlace(roomId, 'm.tag')
    checkName('The tag', tag)
  }

  return {
    put,
    async set(userId, roomId, type, content) {
      checkSettable(roomId, type)
      await store.write('accountData.set', () => put(userId, roomId, type, content))
      deps.onSet?.(userId, type)
      notifier.notify([userId])
    },
    async delete(userId, roomId, type) {
      checkSettable(roomId, type)
      const deleted = await store.write('accountData.delete', function* () {
        const before = yield* rows.accountData(userId, roomId, type)
        if (before === undefined || before === rows.DELETED) return false
        yield* put(userId, roomId, type, {})
        return true
      })
      if (!deleted) return
      deps.onSet?.(userId, type)
      notifier.notify([userId])
    },
    async get(userId, roomId, type) {
      checkPlace(roomId, type)
      const text = await store.read('accountData.get', () => rows.accountData(userId, roomId, type))
      if (text === undefined || text === rows.DELETED) throw notFound('No account data of this type')
      return JSON.parse(text) as JsonObject
    },
    async tags(userId, roomId) {
      checkPlace(roomId, 'm.tag')
      return tagsIn(await store.read('accountData.get', () => rows.accountData(userId, roomId, 'm.tag')))
    },
    async setTag(userId, roomId, tag, content) {
      checkTag(roomId, tag)
      const order = content['order']
      if (order !== undefined && typeof order !== 'number') throw badJson('order must be a number')
      await changeTags(userId, roomId, (tags) => {
        tags.set(tag, content)
        return true
      })
    },
    async deleteTag(userId, roomId, tag) {
      checkTag(roomId, tag)
      await changeTags(userId, roomId, (tags) => tags.delete(tag))
    },
  }
}
