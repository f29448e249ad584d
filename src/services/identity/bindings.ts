import { MatrixError } from '../../core/errors.js'
import type { Logger } from '../../platform/logger.js'
import {
  bindingsOf,
  deleteBinding,
  deleteBindingsOf,
  putBinding,
  type ThreepidBindingRow,
} from '../../storage/tables/threepid-bindings.js'
import type { Store } from '../../storage/tx.js'
import { canonicalAddress } from './address.js'
import type { Address, IdentityAccess, IdentityServers } from './identity-servers.js'

/** Whether identity servers have forgotten an address: `no-support` where one does not do that, or could not be asked. */
export type UnbindResult = 'success' | 'no-support'

/**
 * Addresses that identity servers publish for users of this server, who can then be found by them.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind
 */
export interface Bindings {
  /** Throws M_SERVER_NOT_TRUSTED, M_THREEPID_AUTH_FAILED, M_THREEPID_DENIED, and as `IdentityServers`. */
  bind(
    userId: string,
    access: IdentityAccess,
    session: { readonly sid: string; readonly clientSecret: string },
  ): Promise<void>
  /** Withdraws an address from the server that is named, or from all that have it through this server. */
  unbind(userId: string, medium: string, address: string, idServer: string | undefined): Promise<UnbindResult>
  /** Everything of an account that is closed. */
  unbindAll(userId: string): Promise<UnbindResult>
}

const MAX_BINDINGS = 50

export function createBindings(deps: {
  readonly store: Store
  readonly logger: Logger
  readonly identity: Pick<IdentityServers, 'bind' | 'unbind' | 'checkTrusted'>
}): Bindings {
  const { store, identity } = deps
  const listOf = (userId: string): Promise<readonly ThreepidBindingRow[]> =>
    store.read('identity.bindings', () => bindingsOf(userId))

  /** Whether it is withdrawn; the row stays where the server could not be asked. */
  async function withdraw(row: ThreepidBindingRow): Promise<boolean> {
    try {
      const isGone = await identity.unbind(row.id_server, row.user_id, row as Address & ThreepidBindingRow)
      await store.write('identity.unbound', () => deleteBinding(row))
      return isGone
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      deps.logger.info({ err: error, idServer: row.id_server }, 'an address could not be withdrawn')
      return false
    }
  }

  async function withdrawAll(rows: readonly ThreepidBindingRow[]): Promise<UnbindResult> {
    const results = await Promise.all(rows.map(withdraw))
    return results.every(Boolean) ? 'success' : 'no-support'
  }

  return {
    async bind(userId, access, session) {
      identity.checkTrusted(access.idServer)
      if ((await listOf(userId)).length >= MAX_BINDINGS)
        throw new MatrixError(
          'M_THREEPID_DENIED',
          `At most ${MAX_BINDINGS} addresses of a user are published`,
        )
      const bound = await identity.bind(access, session, userId)
      const address = canonicalAddress(bound.medium, bound.address) ?? bound
      await store.write('identity.bound', () =>
        putBinding({ user_id: userId, ...address, id_server: access.idServer.toLowerCase() }),
      )
    },

    async unbind(userId, medium, address, idServer) {
      const named = canonicalAddress(medium, address)
      if (named === undefined) return 'no-support'
      const known = (await listOf(userId)).filter(
        (row) => row.medium === named.medium && row.address === named.address,
      )
      if (idServer === undefined) return known.length === 0 ? 'no-support' : withdrawAll(known)
      const server = idServer.toLowerCase()
      return withdrawAll([{ user_id: userId, ...named, id_server: server }])
    },

    async unbindAll(userId) {
      const result = await withdrawAll(await listOf(userId))
      await store.write('identity.forgotten', () => deleteBindingsOf(userId))
      return result
    },
  }
}
