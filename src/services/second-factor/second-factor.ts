import { adminActor, OPERATOR, type ActWay } from '../../core/audit/acts.js'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import { base32 } from '../../platform/base32.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { createSeal } from '../../platform/sealed.js'
import { totpStepOf, totpUri } from '../../platform/totp.js'
import * as rows from '../../storage/tables/second-factors.js'
import { usersByIds } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import { loginCandidates } from '../accounts/localpart.js'
import type { AuditTrail } from '../audit/trail.js'

export interface SecondFactorOptions {
  /** Seals what is kept of the factors; undefined: there are none, and nothing can be confirmed. */
  readonly secret: string | undefined
  /** Wrong codes in a row after which none is taken any more. */
  readonly attempts: number
  /** What authenticator apps show. */
  readonly issuer: string
  /** Whether the administration endpoints of other servers' tools ask for a code too. */
  readonly guardsTools: boolean
}

/** What became of a code. `left`: how many more may be wrong. */
export type FactorVerdict =
  | { readonly verdict: 'right' }
  | { readonly verdict: 'wrong' | 'used'; readonly left: number }
  | { readonly verdict: 'missing' | 'locked' | 'not_enrolled' | 'unreadable' | 'off' }

/** What whoever has the machine may do with the factors. */
export type FactorRequest =
  | { readonly do: 'enrol'; readonly user: string; readonly replace: boolean }
  | { readonly do: 'remove' | 'unlock'; readonly user: string }
  | { readonly do: 'list' }

/**
 * Second factors of administrators: codes of an authenticator app (TOTP, RFC 6238) by which they confirm what is dangerous. Each code is taken once, a step
 * early or late; after some wrong ones none is, until whoever has the machine says so.
 */
export interface SecondFactor {
  readonly guardsTools: boolean
  /** Part of a larger body, which must commit whatever the verdict is: it is counted. */
  verify(userId: string, code: string, way: ActWay): Tx<FactorVerdict>
  /** Returns once the code has proved right, and is used up. Throws M_FORBIDDEN with a `reason`. */
  check(userId: string, code: string | undefined, way: ActWay, more?: JsonObject): Promise<void>
  /**
   * For the command line. `enrol` gives `secret` and `uri`, once. Throws M_NOT_FOUND; M_INVALID_PARAM for who is no administrator, or has a
   * factor that is not to be replaced; M_UNKNOWN where none can be kept.
   */
  manage(request: FactorRequest): Promise<JsonObject>
}

const SECRET_BYTES = 20
const MAX_LISTED = 1_000
const PURPOSE = 'chancery second factor'

/** In words, for whoever is refused. */
export function verdictWords(verdict: FactorVerdict): string {
  switch (verdict.verdict) {
    case 'right':
      return 'The code is right.'
    case 'wrong':
      return `The code is wrong. ${attemptsLeft(verdict.left)}`
    case 'used':
      return `This code was used before: wait for the next one. ${attemptsLeft(verdict.left)}`
    case 'missing':
      return 'This needs a code of your authenticator.'
    case 'locked':
      return 'Too many of your codes were wrong: whoever has the machine must unlock your second factor.'
    case 'not_enrolled':
      return 'You have no second factor: whoever has the machine gives you one.'
    case 'unreadable':
      return 'Your second factor was sealed by another `second_factor.secret`: whoever has the machine gives you another one.'
    case 'off':
      return 'This node keeps no second factors: `second_factor.secret` is not set.'
  }
}

const attemptsLeft = (left: number): string =>
  left === 0
    ? 'No more are taken until whoever has the machine unlocks your second factor.'
    : `${left} more may be wrong.`

export function createSecondFactor(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly serverName: string
  readonly audit: AuditTrail
  readonly options: SecondFactorOptions
}): SecondFactor {
  const { store, clock, random, serverName, audit, options } = deps
  const seal = options.secret === undefined ? undefined : createSeal(options.secret, PURPOSE, random)

  /** Counts a code that is not taken. */
  function* refuse(row: rows.SecondFactorRow, why: 'wrong' | 'used', way: ActWay): Tx<FactorVerdict> {
    const failures = row.failures + 1
    const left = Math.max(0, options.attempts - failures)
    yield* rows.setFailures(row.user_id, failures, left === 0 ? clock.now() : null)
    const told = { by: adminActor(row.user_id, way), on: row.user_id, outcome: 'M_FORBIDDEN' } as const
    yield* audit.record({ act: 'second_factor.refused', ...told, reason: why, details: { failures } })
    if (left === 0) yield* audit.record({ act: 'second_factor.locked', ...told, details: { failures } })
    return { verdict: why, left }
  }

  function* verify(userId: string, code: string, way: ActWay): Tx<FactorVerdict> {
    if (seal === undefined) return { verdict: 'off' }
    const row = yield* rows.secondFactorOf(userId)
    if (row === undefined) return { verdict: 'not_enrolled' }
    if (row.locked_ts !== null) return { verdict: 'locked' }
    const secret = seal.open(row.sealed, userId)
    if (secret === undefined) return { verdict: 'unreadable' }
    const step = totpStepOf(secret, code, clock.now())
    if (step === undefined) return yield* refuse(row, 'wrong', way)
    if (!(yield* rows.takeStep(userId, step))) return yield* refuse(row, 'used', way)
    return { verdict: 'right' }
  }

  function* find(user: string): Tx<{ readonly userId: string; readonly isAdmin: boolean }> {
    const candidates = loginCandidates(user, serverName)
    const found = yield* usersByIds(candidates)
    const row = candidates
      .map((id) => found.find((one) => one.user_id === id))
      .find((one) => one !== undefined)
    if (row === undefined) throw notFound(`There is no account ${candidates[0] ?? user}`)
    return { userId: row.user_id, isAdmin: row.is_admin === 1 && row.deactivated === 0 }
  }

  async function enrol(user: string, replace: boolean): Promise<JsonObject> {
    if (seal === undefined)
      throw new MatrixError('M_UNKNOWN', 'Set `second_factor.secret`: it seals what is kept', {}, 400)
    const secret = random.bytes(SECRET_BYTES)
    const userId = await store.write('secondFactor.enrol', function* () {
      const { userId: id, isAdmin } = yield* find(user)
      if (!isAdmin) throw invalidParam(`${id} is no administrator: nothing asks for a second factor`)
      if (!replace && (yield* rows.secondFactorOf(id)) !== undefined)
        throw invalidParam(`${id} has a second factor; --replace gives another one`)
      yield* rows.putSecondFactor({ userId: id, sealed: seal.seal(secret, id), enrolledTs: clock.now() })
      yield* audit.record({ act: 'second_factor.enrolled', by: OPERATOR, on: id })
      return id
    })
    const text = base32(secret)
    return {
      user_id: userId,
      secret: text,
      uri: totpUri({ issuer: options.issuer, account: userId, secret: text }),
    }
  }

  async function list(): Promise<JsonObject> {
    const found = await store.read('secondFactor.list', () => rows.secondFactors(MAX_LISTED))
    return {
      factors: found.map((row) => ({
        user_id: row.user_id,
        enrolled_ts: row.enrolled_ts,
        used_before: row.last_step > 0,
        failures: row.failures,
        locked: row.locked_ts !== null,
        // Sealed by another secret than that of now: of no use.
        opens: seal?.open(row.sealed, row.user_id) !== undefined,
      })),
    }
  }

  return {
    guardsTools: options.guardsTools,
    verify,

    async check(userId, code, way, more = {}) {
      const verdict: FactorVerdict =
        code === undefined || code === ''
          ? { verdict: 'missing' }
          : await store.write('secondFactor.check', () => verify(userId, code, way))
      if (verdict.verdict === 'right') return
      throw new MatrixError('M_FORBIDDEN', verdictWords(verdict), {
        ...more,
        reason: `second_factor.${verdict.verdict}`,
      })
    },

    async manage(request) {
      switch (request.do) {
        case 'list':
          return await list()
        case 'enrol':
          return await enrol(request.user, request.replace)
        case 'remove':
        case 'unlock': {
          const removes = request.do === 'remove'
          const userId = await store.write('secondFactor.manage', function* () {
            const { userId: id } = yield* find(request.user)
            const row = yield* rows.secondFactorOf(id)
            if (row === undefined) throw notFound(`${id} has no second factor`)
            if (removes) yield* rows.deleteSecondFactor(id)
            else yield* rows.setFailures(id, 0, null)
            const act = removes ? 'second_factor.removed' : 'second_factor.unlocked'
            yield* audit.record({ act, by: OPERATOR, on: id })
            return id
          })
          return { user_id: userId }
        }
      }
    },
  }
}
