import { Type } from 'typebox'
import { duration, flag, integer, list, map, text } from '../fields.js'

const serverName = Type.String({ format: 'server-name' })

export const federation = {
  federation: Type.Object(
    {
      enabled: flag('Whether this server talks to other servers at all.', true),
      allow: Type.Union([Type.Null(), Type.Array(serverName, { maxItems: 100_000 })], {
        description:
          'Closed federation: only these servers, by exact name. `null`: every server; `[]`: none but this one.',
        default: null,
      }),
      deny: list('Servers that are refused; one without a port is refused with every port.', serverName, []),
      well_known_server: Type.Optional(
        text(
          'What `/.well-known/matrix/server` says: the host and port that other servers connect to.',
          undefined,
          {
            format: 'server-name',
            example: 'matrix.ministry.example:443',
          },
        ),
      ),
      ca_files: list(
        'PEM files of certificate authorities that are trusted besides those of the system.',
        Type.String({ format: 'path' }),
        [],
      ),
      server_ca_files: map(
        'PEM files of the authorities that alone are trusted for one server: `finances.example: [finances-ca.pem]`.',
        'server-name',
        Type.Array(Type.String({ format: 'path' }), { minItems: 1, maxItems: 20 }),
      ),
      pinned_keys: map(
        'Signing keys of servers that are known beforehand; other keys of these servers are refused: `finances.example: { "ed25519:a_1": base64 }`.',
        'server-name',
        Type.Record(Type.String(), Type.String({ format: 'public-key' }), { keyFormat: 'server-key-id' }),
      ),
      banned_keys: list(
        'Signing keys that never count, whoever publishes them and whatever they signed: those that are known to be stolen.',
        Type.String({ format: 'public-key' }),
        [],
        { maxItems: 1_000 },
      ),
      verify_tls: flag('Check the certificates of other servers. Never turn it off outside a test.', true),
      hosts: map(
        'Where to find a server, without asking DNS: `finances.example: { host: 10.0.0.5, port: 8448 }`.',
        'server-name',
        Type.Object({
          host: text('A DNS name or IP address.', undefined, { format: 'host' }),
          port: integer('TCP port.', 8448, 1, 65_535),
        }),
      ),
      use_well_known: flag('Look for `/.well-known/matrix/server` of other servers.', true),
      use_srv: flag('Look for SRV records of other servers.', true),
      denied_ip_ranges: Type.Union(
        [Type.Null(), Type.Array(Type.String({ format: 'cidr' }), { maxItems: 10_000 })],
        {
          description:
            'Addresses that are never connected to, so that nobody can make this server speak to your internal network. `null`: every range that is not the public internet.',
          default: null,
        },
      ),
      allowed_ip_ranges: list(
        'Exceptions from `denied_ip_ranges`, for example the private network that joins the ministries.',
        Type.String({ format: 'cidr' }),
        [],
      ),
      faster_joins: flag(
        'Join rooms of other servers before their members are known, and fetch these afterwards. Without effect where `access_rules.enforced` judges who is in a room.',
        false,
      ),
      share_device_names: flag(
        'Tell other servers what users have called their devices, such as "Work phone"; else the ids alone.',
        false,
      ),
      trusted_key_servers: list(
        'Servers that are asked for the keys of servers which cannot be reached.',
        serverName,
        [],
        { maxItems: 20 },
      ),
      timeouts: Type.Object(
        {
          connect: duration('To open a connection.', '10s'),
          request: duration('For an ordinary request.', '30s'),
          join: duration('For the answer to a join, which can be large.', '5m'),
        },
        { description: 'How long other servers may take.', default: {} },
      ),
      backoff: Type.Object(
        {
          initial: duration('The first pause.', '10s'),
          max: duration('The longest pause.', '1h'),
        },
        {
          description:
            'Pauses between attempts to reach a server that does not answer; each is twice the last.',
          default: {},
        },
      ),
    },
    { description: 'Other servers.', default: {} },
  ),
} as const
