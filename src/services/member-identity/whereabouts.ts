import type { AddressHome } from '../../core/address-gate.js'
import { MatrixError } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import type { Threepids, ThreepidCredentials } from '../threepids/threepids.js'
import type { MemberIdentity } from './member-identity.js'

/** Whoever asks shows that the address is theirs: by their account, or by a mail that they have opened. */
export interface AddressProof {
  readonly userId?: string | undefined
  readonly credentials?: ThreepidCredentials | undefined
}

export interface Whereabouts {
  /** The server of the account, else the one to which the address belongs; absent: neither. */
  readonly hs?: string
  /** Where the address belongs, and the account does not stand; of somebody who has moved: where to. */
  readonly new_hs?: string
}

/**
 * Where a client logs in with an address. Everybody is told where it belongs; that there is an account elsewhere, of somebody who has changed to another
 * administration, is told to whoever proves to have the address.
 */
export async function whereabouts(
  deps: {
    readonly serverName: string
    readonly threepids: Pick<Threepids, 'ownerOf' | 'checkProved'>
    readonly members: Pick<MemberIdentity, 'holderOf'> | undefined
    homeOf(address: string): AddressHome | undefined
    /** The new account of a user of this server who has moved away. */
    movedTo?(userId: string): Promise<string | undefined>
  },
  address: string,
  proof: AddressProof,
): Promise<Whereabouts> {
  const { threepids } = deps
  const home = deps.homeOf(address)?.serverName
  const known: Whereabouts = home === undefined ? {} : { hs: home }

  async function isProved(): Promise<boolean> {
    const { userId, credentials } = proof
    if (userId !== undefined && (await threepids.ownerOf(address)) === userId) return true
    if (credentials === undefined) return false
    for (const purpose of ['register', 'add', 'reset'] as const) {
      try {
        if ((await threepids.checkProved(purpose, credentials)).address === canonicalEmail(address))
          return true
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error
      }
    }
    return false
  }

  if (!(await isProved())) return known
  const owner = await threepids.ownerOf(address)
  const moved = owner === undefined ? undefined : await deps.movedTo?.(owner)
  const goneTo = moved === undefined ? undefined : serverNameOf(moved)
  if (goneTo !== undefined) return { hs: deps.serverName, new_hs: goneTo }
  const isOurs = owner !== undefined
  const holder = isOurs ? deps.serverName : await deps.members?.holderOf(canonicalEmail(address)!)
  if (holder === undefined || holder === home) return known
  return home === undefined ? { hs: holder } : { hs: holder, new_hs: home }
}
