import { judgePassword, type PasswordPolicy } from '../../core/password-policy.js'
import type { Random } from '../../platform/random.js'

/** Without characters that are taken for one another when somebody reads it out. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const GROUP = 5
/** 20 characters of 56: 116 bits. */
const LEAST = 4

/** A password that the policy takes, in groups with hyphens between them, to be read out on the telephone. */
export function madeUpPassword(random: Pick<Random, 'string'>, policy: PasswordPolicy): string {
  const groups = Math.max(LEAST, Math.ceil(policy.minLength / GROUP))
  for (;;) {
    const password = Array.from({ length: groups }, () => random.string(GROUP, ALPHABET)).join('-')
    // Nearly every one has a digit and letters of both kinds; a hyphen is a symbol.
    if (
      judgePassword(password, { ...policy, require: ['digit', 'lowercase', 'uppercase', 'symbol'] }) ===
      undefined
    )
      return password
  }
}
