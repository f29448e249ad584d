import { displayNameOfAddress, localpartOfAddress } from '../../core/account-names.js'

export interface AccountNamesOptions {
  /** Template of the localpart; undefined: people choose. */
  readonly userId?: string | undefined
  readonly displayName?: string | undefined
  /** Domains in which every organisation has its own. */
  readonly publicSuffixes: readonly string[]
  /** What people call this server. */
  label(): string
}

/** Names of new accounts, made from their addresses. */
export interface AccountNames {
  /** Whether the server names accounts, whatever is wished. */
  readonly namesUsers: boolean
  /** Names to try one after the other, for each account that has one already. Pre: canonical. */
  localparts(address: string): readonly string[]
  /** Undefined: it is not made from the address. */
  displayName(address: string): string | undefined
}

/** As many people of one name and domain as there may be. */
const MAX_SAME = 100

export function createAccountNames(options: AccountNamesOptions): AccountNames {
  const { userId, displayName, publicSuffixes: suffixes } = options
  return {
    namesUsers: userId !== undefined,
    localparts(address) {
      const first = userId === undefined ? undefined : localpartOfAddress(address, userId, suffixes)
      if (first === undefined) return []
      return [first, ...Array.from({ length: MAX_SAME - 1 }, (_, index) => `${first}-${index + 2}`)]
    },
    displayName: (address) =>
      displayName === undefined
        ? undefined
        : displayNameOfAddress(address, displayName, { suffixes, label: options.label() }),
  }
}
