import type { CommandArguments } from '../../core/admin-commands/commands.js'
import { forbidden, invalidParam, notFound } from '../../core/errors.js'
import type { Json } from '../../core/json/value.js'
import { accountMovesOf } from '../../storage/tables/account-moves.js'
import { profileOf } from '../../storage/tables/profiles.js'
import { userById, usersByIds, type UserRow } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import { loginCandidates } from '../accounts/localpart.js'
import type { Threepids } from '../threepids/threepids.js'
import { argument, withArgument, type Commander } from './act.js'

/** Accounts that commands are about. */
export interface Subjects {
  /** By whole id, user name or e-mail address. Throws M_NOT_FOUND, M_INVALID_PARAM for users of other servers. */
  find(text: string): Promise<UserRow>
  /**
   * One that may be changed by command: not the commander's own, not that of another administrator (whoever has the machine does that), not one of
   * the server itself. Throws M_FORBIDDEN besides.
   */
  changeable(by: Commander, text: string): Promise<UserRow>
  /** `changeable`, for the argument `user`, which becomes the whole id. */
  planned(
    by: Commander,
    given: CommandArguments,
  ): Promise<{ readonly user: UserRow; readonly arguments: CommandArguments; readonly who: string }>
  /** The account at another member node to which the person of this one has moved. */
  movedTo(userId: string): Promise<string | undefined>
  /** `@anne:ministry.example (Anne Dupont)`: as people and administrators know the account. */
  described(userId: string): Promise<string>
}

/** Steps of a move after which the old account is one of the past. */
const MOVED: ReadonlySet<string> = new Set(['telling', 'done'])

export function createSubjects(deps: {
  readonly store: Store
  readonly serverName: string
  readonly threepids: Pick<Threepids, 'ownerOf'>
  readonly ownAccounts: ReadonlySet<string>
}): Subjects {
  const { store, serverName, threepids, ownAccounts } = deps

  async function candidatesFor(text: string): Promise<readonly string[]> {
    if (text.indexOf('@') <= 0) return loginCandidates(text, serverName)
    const owner = await threepids.ownerOf(text)
    if (owner === undefined) throw notFound('No account has this address')
    return [owner]
  }

  async function find(text: string): Promise<UserRow> {
    const candidates = await candidatesFor(text)
    if (candidates.length === 0) throw invalidParam(`This is no user of ${serverName}`)
    const rows = await store.read('commands.user', () => usersByIds(candidates))
    const user = candidates
      .map((userId) => rows.find((row) => row.user_id === userId))
      .find((row) => row !== undefined)
    if (user === undefined) throw notFound(`There is no account ${candidates[0]!}`)
    return user
  }

  async function changeable(by: Commander, text: string): Promise<UserRow> {
    const user = await find(text)
    if (user.user_id === by.userId) throw forbidden('You cannot do this to your own account')
    if (user.is_admin === 1)
      throw forbidden(
        `${user.user_id} is an administrator too: whoever has the machine does this at the command line`,
      )
    if (ownAccounts.has(user.user_id)) throw forbidden(`${user.user_id} is an account of the server itself`)
    return user
  }

  async function described(userId: string): Promise<string> {
    const field = await store.read('commands.name', function* () {
      if ((yield* userById(userId)) === undefined) return undefined
      return (yield* profileOf(userId)).find((row) => row.field === 'displayname')?.value
    })
    const name = field === undefined ? undefined : (JSON.parse(field) as Json)
    return typeof name === 'string' ? `${userId} (${name})` : userId
  }

  return {
    find,
    changeable,
    described,
    async movedTo(userId) {
      const moves = await store.read('commands.moves', () => accountMovesOf(userId))
      const left = moves.find(
        ({ side, old_user: old, step }) => side === 'source' && old === userId && MOVED.has(step),
      )
      return left?.new_user
    },
    async planned(by, given) {
      const user = await changeable(by, argument(given, 'user'))
      return {
        user,
        arguments: withArgument(given, 'user', user.user_id),
        who: await described(user.user_id),
      }
    },
  }
}
