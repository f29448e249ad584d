import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { emailsAddedAfter, ownersOfEmails } from '../../storage/tables/threepids.js'
import type { Store } from '../../storage/tx.js'

/** How a look-up names an address without writing it. SPEC: https://spec.matrix.org/v1.19/identity-service-api/#client-behaviour */
export const lookupHash = (address: string, pepper: string): string =>
  createHash('sha256').update(`${address} email ${pepper}`).digest('base64url')

/** Finds the accounts of this server by hashes of their addresses. */
export interface AddressIndex {
  find(hashes: readonly string[], pepper: string): Promise<ReadonlyMap<string, string>>
}

const PAGE = 1_000
/** Another process may have committed what its clock dated before. */
const OVERLAP_MS = 5 * 60_000

/**
 * The hashes are kept in memory, some 150 bytes each: computed once, then only for addresses that came since. What an account no longer has is found
 * out when it is asked for.
 */
export function createAddressIndex({ store }: { readonly store: Store }): AddressIndex {
  let addresses = new Map<string, string>()
  let pepperOf = ''
  let latest = 0
  let running: Promise<void> | undefined

  async function follow(pepper: string): Promise<void> {
    if (pepper !== pepperOf) {
      addresses = new Map()
      latest = 0
      pepperOf = pepper
    }
    let after = { ts: Math.max(0, latest - OVERLAP_MS), address: '' }
    for (;;) {
      const from = after
      const rows = await store.read('identity.index', () => emailsAddedAfter(from, PAGE))
      for (const { address, added_ts: ts } of rows) {
        addresses.set(lookupHash(address, pepper), address)
        latest = Math.max(latest, ts)
      }
      const last = rows.at(-1)
      if (last === undefined || rows.length < PAGE) return
      after = { ts: last.added_ts, address: last.address }
      await nextTurn()
    }
  }

  return {
    async find(hashes, pepper) {
      while (running !== undefined) await running.catch(() => undefined)
      running = follow(pepper).finally(() => (running = undefined))
      await running
      const known = hashes.flatMap((hash): [string, string][] => {
        const address = addresses.get(hash)
        return address === undefined ? [] : [[hash, address]]
      })
      const found = new Map<string, string>()
      if (known.length === 0) return found
      const rows = await store.read('identity.owners', () =>
        ownersOfEmails(known.map(([, address]) => address)),
      )
      const owners = new Map(rows.map((row) => [row.address, row.user_id]))
      for (const [hash, address] of known) {
        const owner = owners.get(address)
        if (owner === undefined) addresses.delete(hash)
        else found.set(hash, owner)
      }
      return found
    },
  }
}
