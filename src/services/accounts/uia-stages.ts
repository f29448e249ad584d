import { MatrixError } from '../../core/errors.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import type { Store, Tx } from '../../storage/tx.js'
import { loginCandidates } from './localpart.js'
import type { PasswordCheck } from './password-check.js'
import { wrongPassword } from './password-check.js'
import type { RegistrationTokens } from './registration-tokens.js'

/** What a stage that was passed leaves in the session. */
export interface StagePass {
  readonly registrationToken?: string
}

export interface StageContext {
  /** Undefined for requests without an account. */
  readonly userId: string | undefined
  readonly ip: string
}

/** Tries one stage with the client's `auth` object. Throws a MatrixError when it is not passed. */
export type Stage = (auth: JsonObject, context: StageContext) => Promise<StagePass>

export type Stages = ReadonlyMap<string, Stage>

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/**
 * The name in an `identifier` of type `m.id.user`, or in the old `user` field.
 * Throws M_FORBIDDEN for identifiers of third parties, M_UNKNOWN for those of unknown type.
 */
export function identifiedUser(auth: JsonObject): string | undefined {
  const identifier = auth['identifier']
  if (isObject(identifier)) {
    const type = identifier['type']
    if (type === 'm.id.user') return text(identifier['user'])
    // No account has a third-party identifier, so that each of them is an unknown one.
    if (type === 'm.id.thirdparty' || type === 'm.id.phone') throw wrongPassword()
    throw new MatrixError('M_UNKNOWN', 'This type of identifier is not supported', {}, 400)
  }
  return text(auth['user'])
}

/** The stages that this server knows. SPEC: https://spec.matrix.org/v1.19/client-server-api/#authentication-types */
export function createStages(deps: {
  readonly store: Store
  readonly checkPassword: PasswordCheck
  readonly registrationTokens: RegistrationTokens
  readonly serverName: string
}): Stages {
  const password: Stage = async (auth, { userId, ip }) => {
    const secret = text(auth['password'])
    if (secret === undefined) throw new MatrixError('M_MISSING_PARAM', 'Missing password')
    // Some clients leave the identifier out, as the request is theirs anyway.
    const name = identifiedUser(auth) ?? userId
    if (userId === undefined || name === undefined) throw wrongPassword()
    // The password of another account proves nothing, and must not be guessed here.
    if (!loginCandidates(name, deps.serverName).includes(userId)) throw wrongPassword()
    const user = await deps.checkPassword(userId, secret, ip)
    if (user.user_id !== userId) throw wrongPassword()
    return {}
  }

  const registrationToken: Stage = async (auth) => {
    const token = text(auth['token'])
    if (token === undefined) throw new MatrixError('M_MISSING_PARAM', 'Missing token')
    const valid = await deps.store.read('uia.registrationToken', (): Tx<boolean> =>
      deps.registrationTokens.available(token),
    )
    if (!valid) throw new MatrixError('M_UNAUTHORIZED', 'The registration token is not valid')
    return { registrationToken: token }
  }

  return new Map<string, Stage>([
    ['m.login.dummy', () => Promise.resolve({})],
    ['m.login.password', password],
    ['m.login.registration_token', registrationToken],
  ])
}
