import { Type } from 'typebox'
import { flag } from '../fields.js'

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
const budgets = {
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
  directory: budget('Searches of one user for people.', 5, 50),
  media: budget('Uploads, downloads and thumbnails of one user.', 50, 400),
  federation: budget('Requests of one other server.', 100, 500),
  member_search: budget('Searches for people by one other member of the node list.', 50, 200),
}

export const rateLimits = {
  rate_limits: Type.Object(budgets, {
    description: 'Requests a second that are sustained, and how many may come at once.',
    default: {},
  }),
} as const
