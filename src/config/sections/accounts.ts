import { Type } from 'typebox'
import { PASSWORD_CLASSES, type PasswordClass } from '../../core/password-policy.js'
import { choice, duration, flag, integer, list, secret } from '../fields.js'

export const accounts = {
  registration: Type.Object(
    {
      enabled: flag('Whether people may make accounts themselves.', false),
      flow: choice(
        'What a new account needs: `token` a registration token from an administrator, `dummy` nothing at all.',
        ['token', 'dummy'],
        'token',
      ),
      email: choice(
        'Whether a new account comes with an e-mail address that its owner has confirmed. Needs `mail`.',
        ['off', 'optional', 'required'],
        'off',
      ),
      email_domains: Type.Union(
        [Type.Null(), Type.Array(Type.String({ maxLength: 253 }), { maxItems: 1_000 })],
        {
          description:
            'New accounts may have addresses of these domains alone, for example `[ministry.example]`; `null`: of any.',
          default: null,
        },
      ),
      guests: flag('Whether guests may look in without an account.', false),
      shared_secret: secret(
        'Whoever knows it may make accounts, also while registration is closed. `chancery register-user` uses it while the server runs.',
      ),
      allow_weak_shared_secret: flag(
        'Accept a shared secret that can be guessed. Never turn it on outside a test.',
        false,
      ),
    },
    { description: 'Who may make accounts. Closed unless you open it.', default: {} },
  ),
  passwords: Type.Object(
    {
      min_length: integer('The fewest characters of a new password.', 12, 1, 512),
      require: list(
        'Kinds of characters that a new password must have: `digit`, `symbol`, `lowercase`, `uppercase`. Clients are told at `/password_policy`. Length is worth more.',
        Type.Unsafe<PasswordClass>({ type: 'string', enum: PASSWORD_CLASSES }),
        [],
        { maxItems: 4 },
      ),
      memory_kib: integer('Memory of one argon2id hash, in KiB.', 19_456, 8, 4_194_304),
      iterations: integer('Passes of one argon2id hash.', 2, 1, 100),
      parallelism: integer('Lanes of one argon2id hash.', 1, 1, 64),
      wrong_attempts: Type.Union(
        [
          Type.Literal(false),
          Type.Object({
            per_address: integer('For one account from one address.', 10, 1, 1_000_000),
            per_account: integer('For one account from anywhere.', 100, 1, 1_000_000),
            window: duration('In this time.', '5m'),
          }),
        ],
        {
          description:
            'How many wrong passwords are answered before further ones must wait. `false`: any number.',
          default: {},
        },
      ),
    },
    { description: 'How passwords are kept.', default: {} },
  ),
  sessions: Type.Object(
    {
      access_token_lifetime: duration(
        'How long an access token is good for a client that uses refresh tokens.',
        '1h',
      ),
      session_lifetime: Type.Union([Type.Null(), Type.Number({ format: 'duration' })], {
        description: 'How long an access token without a refresh token is good; `null`: until log-out.',
        default: null,
      }),
      login_token_lifetime: duration('How long a token that logs in another device is good.', '2m'),
      auth_session_lifetime: duration('How long a person has to complete an authentication.', '15m'),
      max_devices_per_user: integer('Devices that one account may have.', 300, 1, 100_000),
    },
    { description: 'Log-ins and their tokens.', default: {} },
  ),
} as const
