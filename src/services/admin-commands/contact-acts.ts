import { invalidParam, MatrixError } from '../../core/errors.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import type { CommandArguments } from '../../core/admin-commands/commands.js'
import type { AccountValidity } from '../account-validity/account-validity.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Bindings } from '../identity/bindings.js'
import type { Profile } from '../profile/profile.js'
import type { Threepids } from '../threepids/threepids.js'
import { actorOf, argument, type Act } from './act.js'
import type { Subjects } from './subjects.js'

export interface ContactActsDeps {
  readonly subjects: Subjects
  readonly audit: AuditTrail
  readonly threepids: Pick<Threepids, 'change' | 'list' | 'ownerOf'>
  readonly bindings: Pick<Bindings, 'unbind'>
  readonly profile: Pick<Profile, 'setManaged'>
  readonly accountValidity: AccountValidity | undefined
}

/** Addresses, name and the last day of an account. */
export function contactActs(deps: ContactActsDeps) {
  const { subjects, audit, threepids, bindings, profile } = deps

  const address = (given: CommandArguments, name: string | undefined): string | undefined => {
    if (name === undefined) return undefined
    const canonical = canonicalEmail(argument(given, name))
    if (canonical === undefined) throw invalidParam('This is not an e-mail address that is accepted')
    return canonical
  }

  /** `from` and `to`: names of the arguments. */
  function change(from: string | undefined, to: string | undefined): Act {
    return {
      async plan(by, given) {
        const { user, arguments: planned, who } = await subjects.planned(by, given)
        if (user.deactivated === 1) throw invalidParam(`${user.user_id} is deactivated`)
        const [gone, fresh] = [address(given, from), address(given, to)]
        const had = (await threepids.list(user.user_id)).map((row) => row.address)
        if (gone !== undefined && !had.includes(gone))
          throw new MatrixError('M_THREEPID_NOT_FOUND', `${user.user_id} does not have this address`)
        if (fresh !== undefined && (await threepids.ownerOf(fresh)) !== undefined)
          throw new MatrixError('M_THREEPID_IN_USE', 'An account has this address already')
        const parts = [
          ...(gone === undefined ? [] : [`loses the address ${gone}`]),
          ...(fresh === undefined
            ? []
            : [`gets the address ${fresh}, by which whoever reads its mail can set the password`]),
        ]
        return { arguments: planned, will: `${who} ${parts.join(' and ')}.` }
      },
      async run(by, planned) {
        const { user_id: userId } = await subjects.changeable(by, argument(planned, 'user'))
        const [gone, fresh] = [address(planned, from), address(planned, to)]
        const before = (await threepids.list(userId)).map((row) => row.address)
        // Done before a crash.
        const isDone =
          (gone === undefined || !before.includes(gone)) && (fresh === undefined || before.includes(fresh))
        if (!isDone) await threepids.change(userId, { from: gone, to: fresh }, actorOf(by))
        if (gone !== undefined) await bindings.unbind(userId, 'email', gone, undefined)
        const emails = (await threepids.list(userId)).map((row) => row.address)
        return {
          words: `${userId} has ${emails.length === 0 ? 'no address' : emails.join(', ')} now.`,
          details: { user_id: userId, emails },
        }
      },
    }
  }

  const replaceDisplayName: Act = {
    async plan(by, given) {
      const { user, arguments: planned, who } = await subjects.planned(by, given)
      if (user.deactivated === 1) throw invalidParam(`${user.user_id} is deactivated`)
      return { arguments: planned, will: `${who} is called “${argument(given, 'name')}” in all rooms.` }
    },
    async run(by, planned) {
      const { user_id: userId } = await subjects.changeable(by, argument(planned, 'user'))
      const name = argument(planned, 'name')
      await profile.setManaged(userId, 'displayname', name, () =>
        audit.record({ act: 'account.renamed', by: actorOf(by), on: userId, requestId: by.requestId }),
      )
      return { words: `${userId} is called “${name}” now.`, details: { user_id: userId, displayname: name } }
    },
  }

  function validity(): AccountValidity {
    if (deps.accountValidity === undefined)
      throw invalidParam('Accounts do not expire here: `account_validity.enabled` is false')
    return deps.accountValidity
  }

  /** The beginning of a day in UTC; undefined: one period from now. Throws M_INVALID_PARAM. */
  function dayOf(text: string): number | undefined {
    if (text === 'renew') return undefined
    const ts = Date.parse(`${text}T00:00:00Z`)
    if (!(ts >= 0)) throw invalidParam(`There is no day ${text}`)
    return ts
  }

  const accountValidity: Act = {
    async plan(by, given) {
      const until = given.get('until')
      if (until === undefined) {
        const { user_id: userId } = await subjects.find(argument(given, 'user'))
        validity()
        return { arguments: new Map([['user', userId]]), will: `Shows until when ${userId} may be used.` }
      }
      const { arguments: planned, who } = await subjects.planned(by, given)
      validity()
      return {
        arguments: planned,
        will:
          dayOf(until) === undefined
            ? `${who} may be used for another period from now.`
            : `${who} may be used until the beginning of ${until} (UTC), and not after it.`,
      }
    },
    async run(by, planned) {
      const until = planned.get('until')
      const userId = argument(planned, 'user')
      let expires: number | null
      if (until === undefined) expires = await validity().expiryOf(userId)
      else {
        await subjects.changeable(by, userId)
        expires = await validity().set(userId, { expiresTs: dayOf(until) }, actorOf(by))
      }
      const day = expires === null ? null : new Date(expires).toISOString()
      return {
        words: day === null ? `${userId} does not expire.` : `${userId} expires on ${day}.`,
        details: { user_id: userId, expires: day },
      }
    },
  }

  return {
    add_email: change(undefined, 'email'),
    remove_email: change('email', undefined),
    replace_email: change('old', 'new'),
    replace_displayname: replaceDisplayName,
    account_validity: accountValidity,
  } as const
}
