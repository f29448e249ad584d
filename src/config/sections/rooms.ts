import { Type } from 'typebox'
import { duration, flag, integer, list, choice, size, text } from '../fields.js'

const budget = (description: string, per_second: number, burst: number) =>
  Type.Union(
    [
      Type.Literal(false),
      Type.Object({
        per_second: Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 }),
        burst: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      }),
    ],
    { description: `${description} \`false\`: no limit.`, default: { per_second, burst } },
  )

/** Sized so that Element and Element Call do not meet them, also when a whole office shares one address. */
const rateLimits = {
  enabled: flag('`false`: no limits at all, for tests and demonstrations.', true),
  login: budget('Log-ins from one address; changes of one account that ask for its password.', 0.5, 30),
  registration: budget('New accounts from one address.', 0.1, 10),
  message: budget('Events that one user sends.', 10, 100),
  join: budget('Rooms that one user joins.', 2, 30),
  invite: budget('Invitations by one user.', 2, 50),
  create_room: budget('Rooms that one user creates.', 0.2, 20),
  membership: budget(
    'People whom one user removes, bans or lets in again, and rooms that it leaves.',
    5,
    200,
  ),
  activity: budget('Receipts, read markers and typing notifications of one user.', 20, 300),
  write: budget('Changes of account data, tags, profile, push rules, devices, aliases by one user.', 10, 300),
  read: budget('Reading requests of one user.', 50, 500),
  sync: budget('Requests for news by one user, all devices together.', 50, 500),
  public: budget('Requests from one address that need no log-in.', 100, 1_000),
  keys: budget('Requests of one user about encryption keys.', 20, 200),
  media: budget('Uploads, downloads and thumbnails of one user.', 50, 400),
  federation: budget('Requests of one other server.', 100, 500),
}

export const rooms = {
  rooms: Type.Object(
    {
      default_room_version: text('Version of new rooms.', '12', { format: 'room-version' }),
    },
    { description: 'Rooms.', default: {} },
  ),
  presence: Type.Object(
    {
      enabled: flag('Show who is online, to those who share a room with them.', false),
      federation: flag(
        'Tell other servers who is online, and listen to them; many messages between large servers.',
        false,
      ),
    },
    { description: 'Presence.', default: {} },
  ),
  rate_limits: Type.Object(rateLimits, {
    description: 'Requests a second that are sustained, and how many may come at once.',
    default: {},
  }),
  media: Type.Object(
    {
      path: text('Folder of uploaded and cached files.', 'media', { format: 'data-path' }),
      max_upload_bytes: size('The largest file that a user may upload.', '50M'),
      max_image_pixels: integer(
        'The largest image, width times height, of which thumbnails are made.',
        50_000_000,
        1,
      ),
      thumbnails: list(
        'Thumbnails that are made; a request gets the nearest.',
        Type.Object({
          width: Type.Integer({ minimum: 1, maximum: 4096 }),
          height: Type.Integer({ minimum: 1, maximum: 4096 }),
          method: Type.Enum(['crop', 'scale']),
        }),
        [
          { width: 32, height: 32, method: 'crop' },
          { width: 96, height: 96, method: 'crop' },
          { width: 320, height: 240, method: 'scale' },
          { width: 640, height: 480, method: 'scale' },
          { width: 800, height: 600, method: 'scale' },
        ],
        { minItems: 1, maxItems: 20 },
      ),
      dynamic_thumbnails: flag(
        'Also make other sizes, rounded up, a bounded number for each picture.',
        false,
      ),
      legacy_unauthenticated: choice(
        'Old endpoints that give files without a log-in: `off`, `local-only` for files of this server, `on` also for cached ones.',
        ['off', 'local-only', 'on'],
        'off',
      ),
      remote_max_bytes: size('The largest file that is fetched from another server.', '100M'),
      remote_timeout: duration('How long fetching one file from another server may take.', '60s'),
      remote_cache_max_bytes: Type.Union([Type.Null(), Type.Number({ format: 'size' })], {
        description:
          'Files of other servers beyond so much are removed, the least used first; `null`: no bound.',
        default: '20G',
      }),
      remote_cache_lifetime: Type.Union([Type.Null(), Type.Number({ format: 'duration' })], {
        description: 'Files of other servers that nobody has used for so long are removed; `null`: never.',
        default: '90d',
      }),
    },
    { description: 'Files that users share.', default: {} },
  ),
  appservices: list(
    'Registration files of application services (bridges and bots).',
    Type.String({ format: 'path' }),
    [],
  ),
  limits: Type.Object(
    {
      max_sync_timeout: duration('The longest that `/sync` waits, whatever a client asks for.', '90s'),
      concurrent_syncs: integer(
        'Answers to `/sync` that are computed at the same time; the others wait.',
        16,
        1,
        1_000,
      ),
      staged_bytes_per_server: size('Events of one other server that may wait to be processed.', '64M'),
      staged_bytes_per_room: size('Events of one room that may wait to be processed.', '32M'),
    },
    { description: 'Bounds of the work that others can cause.', default: {} },
  ),
} as const
