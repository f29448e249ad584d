/** Kinds of characters that a password may have to have. */
export const PASSWORD_CLASSES = ['digit', 'symbol', 'lowercase', 'uppercase'] as const
export type PasswordClass = (typeof PASSWORD_CLASSES)[number]

export interface PasswordPolicy {
  /** Code points. */
  readonly minLength: number
  readonly require: readonly PasswordClass[]
}

/** Why a password is refused. */
export interface PasswordFault {
  readonly errcode: string
  readonly message: string
}

const RULES: Readonly<Record<PasswordClass, PasswordFault & { readonly has: RegExp }>> = {
  digit: { has: /[0-9]/, errcode: 'M_PASSWORD_NO_DIGIT', message: 'A password has a digit' },
  symbol: {
    has: /[^\p{L}\p{N}]/u,
    errcode: 'M_PASSWORD_NO_SYMBOL',
    message: 'A password has a character that is neither a letter nor a digit',
  },
  lowercase: {
    has: /\p{Ll}/u,
    errcode: 'M_PASSWORD_NO_LOWERCASE',
    message: 'A password has a lower-case letter',
  },
  uppercase: {
    has: /\p{Lu}/u,
    errcode: 'M_PASSWORD_NO_UPPERCASE',
    message: 'A password has an upper-case letter',
  },
}

/**
 * The first rule that a password breaks. Where kinds of characters are asked for, the errors are those that the clients of MSC2000 know; a node that
 * asks for length alone says `M_WEAK_PASSWORD`, as the specification has it.
 * NOTSPEC: MSC2000. SPEC: https://spec.matrix.org/v1.19/client-server-api/#password-management
 */
export function judgePassword(password: string, policy: PasswordPolicy): PasswordFault | undefined {
  const { minLength, require } = policy
  if (Array.from(password).length < minLength)
    return {
      errcode: require.length === 0 ? 'M_WEAK_PASSWORD' : 'M_PASSWORD_TOO_SHORT',
      message: `A password has at least ${minLength} characters`,
    }
  const broken = require.find((kind) => !RULES[kind].has.test(password))
  if (broken === undefined) return undefined
  const { errcode, message } = RULES[broken]
  return { errcode, message }
}

/** The policy in the words of MSC2000. */
export const policyForClients = ({
  minLength,
  require,
}: PasswordPolicy): Readonly<Record<string, number | boolean>> => ({
  'm.minimum_length': minLength,
  ...Object.fromEntries(PASSWORD_CLASSES.map((kind) => [`m.require_${kind}`, require.includes(kind)])),
})
