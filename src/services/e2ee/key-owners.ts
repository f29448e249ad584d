import type { Json } from '../../core/json/value.js'

/**
 * Application services that keep the keys of their users themselves, in place of uploading them. NOTSPEC: MSC3983, MSC3984.
 * Never throws: who fails or hangs has no answer.
 */
export interface KeyOwners {
  /** Whether one of them has the user for itself. */
  owns(userId: string): boolean
  /** Device keys and signing keys, in the form of `/keys/query`; one answer of each that was asked. `devices`: none for all. */
  query(devices: Readonly<Record<string, readonly string[]>>): Promise<readonly KeyOwnersAnswer[]>
  /** One-time keys: user → device → `algorithm:id` → key. `wishes`: user → device → algorithms. */
  claim(
    wishes: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>,
  ): Promise<readonly KeyOwnersAnswer[]>
}

export interface KeyOwnersAnswer {
  /** Those of whom it was asked: it may speak for nobody else. */
  readonly userIds: ReadonlySet<string>
  readonly json: Json
}

export const NO_KEY_OWNERS: KeyOwners = {
  owns: () => false,
  query: () => Promise.resolve([]),
  claim: () => Promise.resolve([]),
}
