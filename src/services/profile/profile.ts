import { forbidden, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { parseUserId } from '../../core/ids/user-id.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Logger } from '../../platform/logger.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import { putProfileChange } from '../../storage/tables/profile-changes.js'
import * as rows from '../../storage/tables/profiles.js'
import { userById } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Asker, RedList } from '../red-list/red-list.js'
import type { Requester } from '../requester.js'
import { checkedValue, checkFieldName, isPresentable, MAX_PROFILE_BYTES } from './field.js'

export interface ProfileOptions {
  /** Lookups without an access token are refused. Default false. */
  readonly requireAuth?: boolean
  /** Fields that users may not change, e.g. because a directory manages them; administrators may. */
  readonly managed?: readonly string[]
}

export interface ProfileDeps {
  readonly store: Store
  readonly logger: Logger
  readonly serverName: string
  /** Asks another server, for one of our users; throws a MatrixError (M_NOT_FOUND, M_FORBIDDEN, …). */
  fetchRemoteProfile(
    userId: string,
    field: string | undefined,
    asker: string | undefined,
  ): Promise<JsonObject>
  /** Users of this server whom not everybody may know of: to the others they do not exist. */
  readonly redList?: Pick<RedList, 'mayKnow'> | undefined
  /** After a change is on disk; copies it into the user's rooms. Not awaited: a user may be in thousands. */
  onProfileChanged(userId: string, field: string): Promise<void>
  /** Asks application services for a user of this server who is not there; true where one has made them. */
  makeUser?(userId: string): Promise<boolean>
  /** Whether a server's accounts are guests of the circle; absent: nobody's are. */
  readonly isExternalServer?: ((serverName: string) => boolean) | undefined
  readonly options?: ProfileOptions
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#profiles */
export interface Profile {
  /**
   * Throws M_NOT_FOUND, M_INVALID_PARAM; M_MISSING_TOKEN for strangers where that is configured. Strangers have other servers asked
   * too, as the specification wants: how often is bounded for each address.
   */
  get(userId: string, requester: Requester | undefined): Promise<JsonObject>
  /** As `get`; the object has the one field. */
  getField(userId: string, field: string, requester: Requester | undefined): Promise<JsonObject>
  /** Throws M_FORBIDDEN, M_USER_SUSPENDED, M_INVALID_PARAM, M_KEY_TOO_LARGE, M_PROFILE_TOO_LARGE. */
  setField(requester: Requester, userId: string, field: string, value: Json): Promise<void>
  deleteField(requester: Requester, userId: string, field: string): Promise<void>
  /** For administrators, whose act it is: also what users cannot change. `told`: what else its transaction writes. Throws M_INVALID_PARAM, M_KEY_TOO_LARGE, M_PROFILE_TOO_LARGE. */
  setManaged(userId: string, field: string, value: Json, told?: () => Tx<void>): Promise<void>
  /** For other servers' `/query/profile`. Throws M_NOT_FOUND, M_INVALID_PARAM for users who are not ours. */
  queryLocal(userId: string, field: string | undefined, asker: Asker): Promise<JsonObject>
  /** What member events of a local user carry. */
  memberFields(userId: string): Tx<{ readonly displayname?: string; readonly avatar_url?: string }>
}

/** Says of an account that it is a guest's; it is this server's judgement, whatever the account's own server or its user says. */
export const EXTERNAL_FIELD = 'org.chancery.external'

const askerOf = (requester: Requester | undefined): Asker =>
  requester === undefined ? { kind: 'stranger' } : { kind: 'user', userId: requester.userId }

const noField = (): MatrixError => notFound('The user or the profile field does not exist')

// oxlint-disable-next-line require-yield
function* nothing(): Tx<void> {}

export function createProfile(deps: ProfileDeps): Profile {
  const { store, logger, serverName } = deps
  const { requireAuth = false, managed = [] } = deps.options ?? {}

  function parse(userId: string): { readonly isLocal: boolean } {
    const id = parseUserId(userId)
    if (id === undefined) throw invalidParam('This is not a user id')
    return { isLocal: id.domain === serverName }
  }

  async function local(userId: string, asker: Asker): Promise<JsonObject> {
    if (deps.redList !== undefined && !(await deps.redList.mayKnow(userId, asker)))
      throw notFound('The user does not exist')
    const read = (): Promise<readonly { readonly field: string; readonly value: string }[] | undefined> =>
      store.read('profile.get', function* () {
        const user = yield* userById(userId)
        if (user?.deactivated === 1) throw notFound('The user does not exist')
        return user === undefined ? undefined : yield* rows.profileOf(userId)
      })
    const fields = (await read()) ?? ((await deps.makeUser?.(userId)) === true ? await read() : undefined)
    if (fields === undefined) throw notFound('The user does not exist')
    return Object.fromEntries(fields.map(({ field, value }) => [field, JSON.parse(value) as Json]))
  }

  async function remote(
    userId: string,
    field: string | undefined,
    requester: Requester | undefined,
  ): Promise<JsonObject> {
    const answer = await deps.fetchRemoteProfile(userId, field, requester?.userId)
    return Object.fromEntries(
      Object.entries(answer).filter(
        ([key, value]) => (field === undefined || key === field) && isPresentable(key, value),
      ),
    )
  }

  /** The profile with what this server knows of its user. */
  function marked(userId: string, profile: JsonObject): JsonObject {
    const { isExternalServer } = deps
    if (isExternalServer === undefined) return profile
    const { [EXTERNAL_FIELD]: _claimed, ...rest } = profile
    return isExternalServer(serverNameOf(userId) ?? '') ? { ...rest, [EXTERNAL_FIELD]: true } : rest
  }

  function admit(requester: Requester | undefined): void {
    if (requester !== undefined) return
    if (requireAuth) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token')
  }

  function only(profile: JsonObject, field: string): JsonObject {
    const value = Object.hasOwn(profile, field) ? profile[field] : undefined
    if (value === undefined) throw noField()
    return { [field]: value }
  }

  function checkOwner(requester: Requester, userId: string, field: string): void {
    parse(userId)
    if (requester.userId !== userId) throw forbidden('You can change your own profile only')
    if (requester.isGuest && field !== 'displayname')
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may change their display name only')
    if (requester.isSuspended)
      throw new MatrixError('M_USER_SUSPENDED', 'You cannot change your profile while suspended')
    checkFieldName(field)
    if (managed.includes(field) || (field === EXTERNAL_FIELD && deps.isExternalServer !== undefined))
      throw forbidden('This field is managed by the server')
  }

  function changed(userId: string, field: string): void {
    deps.onProfileChanged(userId, field).catch((error: unknown) => {
      logger.error({ err: error, userId, field }, 'a profile change did not reach all rooms')
    })
  }

  async function remove(userId: string, field: string, told = nothing): Promise<void> {
    const wasThere = await store.write('profile.delete', function* () {
      if (!(yield* rows.deleteProfileField(userId, field))) return false
      yield* told()
      yield* putProfileChange(userId, field, yield* allocatePosition())
      return true
    })
    if (wasThere) changed(userId, field)
  }

  async function set(userId: string, field: string, value: Json, told = nothing): Promise<void> {
    const checked = checkedValue(field, value)
    if (checked === undefined) {
      await remove(userId, field, told)
      return
    }
    const text = JSON.stringify(checked)
    await store.write('profile.set', function* () {
      const others = (yield* rows.profileOf(userId)).filter((row) => row.field !== field)
      // Quotes, colon and comma of each member, and the braces.
      const bytes = [...others, { field, value: text }].reduce(
        (sum, row) => sum + Buffer.byteLength(row.field) + Buffer.byteLength(row.value) + 4,
        1,
      )
      if (bytes > MAX_PROFILE_BYTES)
        throw new MatrixError('M_PROFILE_TOO_LARGE', 'A profile has at most 64 KiB')
      yield* rows.setProfileField(userId, field, text)
      yield* told()
      yield* putProfileChange(userId, field, yield* allocatePosition())
    })
    changed(userId, field)
  }

  return {
    async get(userId, requester) {
      const { isLocal } = parse(userId)
      admit(requester)
      return marked(
        userId,
        isLocal ? await local(userId, askerOf(requester)) : await remote(userId, undefined, requester),
      )
    },
    async getField(userId, field, requester) {
      const { isLocal } = parse(userId)
      admit(requester)
      checkFieldName(field)
      // Another server need not know of it: what is asked is whether there is such a user.
      const asked = field === EXTERNAL_FIELD ? undefined : field
      const found = isLocal ? await local(userId, askerOf(requester)) : await remote(userId, asked, requester)
      return only(marked(userId, found), field)
    },
    async setField(requester, userId, field, value) {
      checkOwner(requester, userId, field)
      await set(userId, field, value)
    },
    async setManaged(userId, field, value, told) {
      checkFieldName(field)
      await set(userId, field, value, told)
    },
    async deleteField(requester, userId, field) {
      checkOwner(requester, userId, field)
      await remove(userId, field)
    },
    async queryLocal(userId, field, asker) {
      if (!parse(userId).isLocal) throw invalidParam('The user does not belong to this server')
      const profile = marked(userId, await local(userId, asker))
      if (field === undefined) return profile
      checkFieldName(field)
      return only(profile, field)
    },
    *memberFields(userId) {
      const found = yield* rows.profileFieldOfUsers([userId], ['displayname', 'avatar_url'])
      return Object.fromEntries(found.map((row) => [row.field, JSON.parse(row.value) as string]))
    },
  }
}
