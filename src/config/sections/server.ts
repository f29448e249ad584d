import { Type } from 'typebox'
import { choice, flag, integer, list, secret, text } from '../fields.js'

export const listener = Type.Object(
  {
    address: text(
      'IP address to listen on; `0.0.0.0` is every IPv4 interface, `::` every interface.',
      '0.0.0.0',
      {
        format: 'address',
      },
    ),
    port: integer('TCP port.', 8008, 0, 65_535),
    tls: Type.Optional(
      Type.Object(
        {
          certificate: text('PEM file: the certificate and its chain.', undefined, { format: 'path' }),
          key: text('PEM file: the private key.', undefined, { format: 'path' }),
        },
        { description: 'Serve HTTPS. Without it the listener speaks plain HTTP, for a proxy that ends TLS.' },
      ),
    ),
    resources: list(
      'What is served here.',
      Type.Enum(['client', 'federation', 'media', 'metrics', 'health']),
      ['client', 'federation', 'media', 'metrics', 'health'],
      { minItems: 1 },
    ),
  },
  { description: 'One address and port.' },
)

const sqlite = Type.Object({
  driver: Type.Literal('sqlite', { default: 'sqlite', description: 'One file, one process.' }),
  path: text('The database file.', 'homeserver.db', { format: 'data-path' }),
})

const postgres = Type.Object({
  driver: Type.Literal('postgres'),
  url: Type.String({
    secret: true,
    maxLength: 4096,
    description: '`postgres://user:password@host:5432/database`. Needed with this driver.',
  }),
  max_connections: integer('Connections that this process may hold open.', 20, 2, 1_000),
})

export const server = {
  server_name: text(
    'The name after the colon in every user id of this server, for example `finances.example`. It cannot be changed later.',
    undefined,
    { format: 'server-name', example: 'ministry.example' },
  ),
  public_baseurl: Type.Optional(
    text(
      'The address at which clients reach this server, for example `https://matrix.ministry.example`.',
      undefined,
      {
        format: 'http-url',
        example: 'https://matrix.ministry.example',
      },
    ),
  ),
  admin_contact: Type.Optional(
    text('Shown to users who need help: an e-mail address, a telephone number or a web page.', undefined, {
      example: 'mailto:it@ministry.example',
    }),
  ),
  listeners: list('Where the server listens.', listener, [{}], { minItems: 1, maxItems: 50 }),
  trusted_proxies: list(
    'Addresses or ranges of reverse proxies, for example `10.0.0.0/8`. Only from these is `X-Forwarded-For` believed.',
    Type.String({ format: 'cidr' }),
    [],
  ),
  data_dir: text('Folder of everything that the server writes.', '.', { format: 'path' }),
  database: Type.Union([sqlite, postgres], {
    description:
      'SQLite for one process (`driver: sqlite`, `path`), or PostgreSQL 15 and newer (`driver: postgres`, `url`, `max_connections`). `url` is a secret: also `url_file` or CHANCERY_DATABASE_URL.',
    default: { driver: 'sqlite' },
  }),
  signing_key_path: text(
    'The key that signs for this server, as `chancery generate-key` writes it. Back it up: nobody can give you another one.',
    'signing.key',
    { format: 'data-path' },
  ),
  operator_socket: text(
    'A socket in the file system by which the command line reaches this node while it runs. Only the user that runs the node can open it; at most 103 bytes.',
    'operator.sock',
    { format: 'data-path' },
  ),
  old_signing_keys: list(
    'Public keys that this server has signed with before, so that others can still check old events.',
    Type.Object({
      key_id: text('For example `ed25519:a_1`.', undefined, { format: 'server-key-id' }),
      public_key: text('32 bytes as base64 without padding.', undefined, { format: 'public-key' }),
      expired_ts: Type.Integer({
        description: 'When it was last used, in milliseconds since 1970.',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
      }),
    }),
    [],
  ),
  logging: Type.Object(
    {
      level: choice(
        'The least severe lines that are written.',
        ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        'info',
      ),
      pretty: flag('Lines for people instead of one JSON object a line.', false),
    },
    { description: 'Logs go to standard output. They never hold a token or a password.', default: {} },
  ),
  metrics: Type.Object(
    { enabled: flag('Serve `/metrics` on the listeners that have the resource `metrics`.', false) },
    {
      description: 'Metrics for Prometheus. They tell how busy the server is: keep that listener private.',
      default: {},
    },
  ),
  turn: Type.Object(
    {
      uris: list(
        'For example `turn:turn.ministry.example?transport=udp`.',
        Type.String({ format: 'turn-uri' }),
        [],
      ),
      secret: secret('The secret shared with the TURN server (coturn: `static-auth-secret`).'),
      ttl: Type.Number({
        description: 'How long the credentials that a client gets are good.',
        default: '24h',
        format: 'duration',
      }),
    },
    { description: 'A TURN server for calls between networks. Off while `uris` is empty.', default: {} },
  ),
  rtc: Type.Object(
    {
      transports: list(
        'For example `{ type: livekit, livekit_service_url: https://rtc.ministry.example }`.',
        Type.Object({
          type: text('How clients speak to it.', 'livekit'),
          livekit_service_url: text('Where clients ask for a token.', undefined, { format: 'http-url' }),
        }),
        [],
      ),
    },
    {
      description: 'Servers for calls of many people, such as those of Element Call (MSC4143).',
      default: {},
    },
  ),
  well_known: Type.Object(
    {
      client_extra: Type.Record(Type.String(), Type.Unknown(), {
        description: 'Further keys of `/.well-known/matrix/client`, for example for Element Call.',
        default: {},
      }),
      support: Type.Object(
        {
          contacts: list(
            'Whom other administrators may write to. Each needs `matrix_id` or `email_address`.',
            Type.Object({
              role: text('`m.role.admin` or `m.role.security`.', 'm.role.admin'),
              matrix_id: Type.Optional(text('A Matrix user id.', undefined, { format: 'user-id' })),
              email_address: Type.Optional(text('An e-mail address.', undefined, { format: 'email' })),
            }),
            [],
            { maxItems: 100 },
          ),
          page: Type.Optional(
            text('A web page with help for users.', undefined, {
              format: 'http-url',
              example: 'https://ministry.example/help',
            }),
          ),
        },
        { description: 'What `/.well-known/matrix/support` says. 404 while it is empty.', default: {} },
      ),
      policy_server_key: Type.Optional(
        text(
          'The Ed25519 key of a policy server that runs under this server’s name, beside it: what `/.well-known/matrix/policy_server` says. This server is none itself.',
          undefined,
          { format: 'public-key', example: '6yhHGKhCiXTSEN2ksjV7kX/N6rBQZ3Xb+M7LlC6NS+s' },
        ),
      ),
    },
    { description: 'The well-known files that this server itself serves.', default: {} },
  ),
} as const
