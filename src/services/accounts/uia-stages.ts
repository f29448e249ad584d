import { MatrixError } from '../../core/errors.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Threepids } from '../threepids/threepids.js'
import { loginCandidates } from './localpart.js'
import { loginNameOf, wrongPassword, type LoginName } from './login-name.js'
import type { PasswordCheck } from './password-check.js'
import type { RegistrationTokens } from './registration-tokens.js'

/** What a stage that was passed leaves in the session. */
export interface StagePass {
  readonly registrationToken?: string
  /** The proof of an address, which is used up when all stages are passed. */
  readonly threepidSession?: string
}

export interface StageContext {
  /** Undefined for requests without an account. */
  readonly userId: string | undefined
  /** The operationId, with path parameters that matter. */
  readonly operation: string
  readonly ip: string
}

/** The client names another account than the one its token is for: no further attempt can help, so the request ends. */
export class OtherAccount extends MatrixError {
  constructor() {
    super('M_FORBIDDEN', 'This request can be confirmed by the account that makes it only', {}, 403)
    this.name = 'OtherAccount'
  }
}

/** Tries one stage with the client's `auth` object. Throws a MatrixError when it is not passed. */
export type Stage = (auth: JsonObject, context: StageContext) => Promise<StagePass>

export type Stages = ReadonlyMap<string, Stage>

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The stages that this server knows. SPEC: https://spec.matrix.org/v1.19/client-server-api/#authentication-types */
export function createStages(deps: {
  readonly store: Store
  readonly checkPassword: PasswordCheck
  readonly registrationTokens: RegistrationTokens
  readonly threepids: Threepids
  readonly serverName: string
}): Stages {
  const password: Stage = async (auth, { userId, ip }) => {
    const secret = text(auth['password'])
    if (secret === undefined) throw new MatrixError('M_MISSING_PARAM', 'Missing password')
    // Some clients leave the identifier out, as the request is theirs anyway.
    const name = loginNameOf(auth)
    if (userId === undefined) throw wrongPassword()
    // The password of another account proves nothing, and must not be guessed here.
    if (name !== undefined && !(await means(name, userId))) throw new OtherAccount()
    const user = await deps.checkPassword({ user: userId }, secret, ip)
    if (user.user_id !== userId) throw wrongPassword()
    return {}
  }

  const means = async (name: LoginName, userId: string): Promise<boolean> =>
    'user' in name
      ? loginCandidates(name.user, deps.serverName).includes(userId)
      : (await deps.threepids.ownerOf(name.email)) === userId

  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver */
  const email: Stage = async (auth, { userId, operation }) => {
    // Some clients write the name of the field as the first versions of the specification did.
    const given = auth['threepid_creds'] ?? auth['threepidCreds']
    const credentials = isObject(given) ? given : {}
    const [sid, clientSecret] = [text(credentials['sid']), text(credentials['client_secret'])]
    if (sid === undefined || clientSecret === undefined)
      throw new MatrixError('M_MISSING_PARAM', 'Missing sid and client_secret in threepid_creds')
    const purpose = operation === 'register' ? 'register' : 'reset'
    const proof = await deps.threepids.checkProved(purpose, { sid, clientSecret })
    // That somebody has a mailbox says nothing about another person's account.
    if (userId !== undefined && (await deps.threepids.ownerOf(proof.address)) !== userId)
      throw new MatrixError('M_THREEPID_AUTH_FAILED', 'This is not an address of your account', {}, 403)
    return { threepidSession: proof.sessionId }
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
    ['m.login.email.identity', email],
    ['m.login.password', password],
    ['m.login.registration_token', registrationToken],
  ])
}
