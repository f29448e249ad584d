import { hash, parseOptions, verify } from '@node-rs/argon2'
import { MatrixError } from '../../core/errors.js'
import { judgePassword, type PasswordClass, type PasswordPolicy } from '../../core/password-policy.js'
import { createSemaphore, SemaphoreFullError } from '../../platform/semaphore.js'

/** The cost of a hash. */
export interface PasswordCost {
  readonly memoryKib: number
  readonly iterations: number
  readonly parallelism: number
}

export interface PasswordOptions {
  readonly cost?: PasswordCost
  /** Characters (code points). Default 8. */
  readonly minLength?: number
  /** Kinds of characters that it must have. Default none. */
  readonly require?: readonly PasswordClass[]
}

export interface Passwords {
  readonly policy: PasswordPolicy
  /** Throws M_WEAK_PASSWORD, the errors of MSC2000 or M_INVALID_PARAM where the policy refuses the password. */
  check(password: string): void
  /** An argon2id hash in PHC form. Throws M_LIMIT_EXCEEDED when too many hashes wait. */
  hash(password: string): Promise<string>
  /**
   * Compares with a stored hash. Without one it takes as long and gives `wrong`, so that nobody learns from the time
   * which accounts exist. `outdated`: right, but the hash is of another cost than configured.
   */
  verify(stored: string | null | undefined, password: string): Promise<'right' | 'outdated' | 'wrong'>
}

/** The OWASP recommendation for argon2id. */
export const DEFAULT_COST: PasswordCost = { memoryKib: 19_456, iterations: 2, parallelism: 1 }

/** Longer ones are refused: hashing time must not be the client's to choose. */
export const MAX_PASSWORD_LENGTH = 512

// The values of the package's `const enum Algorithm`, which cannot be imported with isolated modules.
const ARGON2ID = 2

/** How many hashes are computed at once, and how many may wait: each takes `memoryKib` and tens of milliseconds. */
const CONCURRENT = 4
const WAITING = 256

export function createPasswords(options: PasswordOptions = {}): Passwords {
  const cost = options.cost ?? DEFAULT_COST
  const policy: PasswordPolicy = { minLength: options.minLength ?? 8, require: options.require ?? [] }
  const settings = {
    algorithm: ARGON2ID,
    memoryCost: cost.memoryKib,
    timeCost: cost.iterations,
    parallelism: cost.parallelism,
  }
  const gate = createSemaphore({ permits: CONCURRENT, maxWaiting: WAITING })
  let decoy: Promise<string> | undefined

  async function admitted<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await gate.run(task)
    } catch (error) {
      if (error instanceof SemaphoreFullError)
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many log-ins at once', { retry_after_ms: 5_000 })
      throw error
    }
  }

  function outdated(stored: string): boolean {
    const used = parseOptions(stored)
    return (
      (used.algorithm as number) !== ARGON2ID ||
      used.memoryCost !== cost.memoryKib ||
      used.timeCost !== cost.iterations ||
      used.parallelism !== cost.parallelism
    )
  }

  return {
    policy,
    check(password) {
      if (password.length > MAX_PASSWORD_LENGTH)
        throw new MatrixError('M_INVALID_PARAM', `A password has at most ${MAX_PASSWORD_LENGTH} characters`)
      const fault = judgePassword(password, policy)
      if (fault !== undefined) throw new MatrixError(fault.errcode, fault.message)
    },
    hash: (password) => admitted(() => hash(password, settings)),
    async verify(stored, password) {
      // One with the configured cost, so that it takes the time that a real one takes.
      decoy ??= hash('no password at all', settings)
      const against = stored ?? (await decoy)
      const tooLong = password.length > MAX_PASSWORD_LENGTH
      const right = await admitted(() => verify(against, tooLong ? '' : password))
      if (!right || tooLong || stored === null || stored === undefined) return 'wrong'
      return outdated(stored) ? 'outdated' : 'right'
    },
  }
}
