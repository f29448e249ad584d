import { parseArgs } from 'node:util'

export const USAGE = `npm run bench -- [OPTIONS]
  --seconds N      of each send measurement, after three seconds that are not counted (5)
  --senders N      how many send at once in the busy measurements (32)
  --rooms N        rooms (20)
  --members N      local members of each room (20)
  --users N        users (twice --members)
  --sync-rooms N   rooms of one more user whose initial sync is measured; 0 leaves it out (100)
  --large          also: /sync of one user in 500 rooms, 5,000 idle long polls, a room of 1,000 members (takes minutes)
  --federation     also: events from and to other servers, between two nodes, a conflict of states, a join of a room of 10,000 members
  --only-federation   nothing else
  --parts LIST     of what is measured between servers: inbound, outbound, latency, resolution, join (all)
  --sliding        also: sliding sync of one user in 500 rooms, and 10,000 messages that wait for a device
  --search N       also: searches among so many messages, which are written into the database (0; a million take minutes)
  --purge N        nothing else: messages while so many old ones are purged (a million take minutes)
  --circle         nothing else: the directories of a circle of 17 nodes of which three never answer
  --access-rules   nothing else: the CPU of a send with access rules and without, in rounds that take turns
  --postgres URL   of a server on which databases may be made; the bench makes one and drops it. Default: SQLite
  --dist DIR       a build other than dist, used as it is
  --profile DIR    write a CPU profile of the node there
  --keep           keep the node's folder
  --json           print JSON instead of a table`

const COUNT = {
  seconds: '5',
  senders: '32',
  rooms: '20',
  members: '20',
  users: undefined,
  'sync-rooms': '100',
  search: '0',
  purge: '0',
}
/** What federation is measured with; the join is of members who changed their names so often. */
const FEDERATION = {
  rooms: [1, 50],
  pdus: 4_000,
  destinations: [1, 50],
  messages: 400,
  conflict: 5_000,
  bigJoin: [10_000, 4],
}
const PARTS = ['inbound', 'outbound', 'latency', 'resolution', 'join']
/** What the measurements of a large node are promised for. */
const LARGE = { syncRooms: 500, polls: 5_000, members: 1_000 }
/** Of each of two nodes whose sends are compared. */
const ROUNDS = 12
/** What sliding sync is promised for. */
const SLIDING = { rooms: 500, messages: 10_000 }
/** As the French administration has it; each of its members answers after so many milliseconds. */
const CIRCLE = { nodes: 17, dead: 3, rooms: 100, delayMs: 20, rounds: 100 }
const LARGEST = {
  seconds: 600,
  senders: 1_000,
  rooms: 1_000,
  members: 1_000,
  users: 2_000,
  'sync-rooms': 2_000,
  search: 10_000_000,
  purge: 10_000_000,
}

/** The options as a plain object. Throws with words for a person. */
export function readOptions(argv) {
  const options = Object.fromEntries(Object.keys(COUNT).map((name) => [name, { type: 'string' }]))
  for (const name of ['postgres', 'dist', 'profile', 'parts']) options[name] = { type: 'string' }
  for (const name of [
    'access-rules',
    'circle',
    'json',
    'keep',
    'help',
    'large',
    'federation',
    'only-federation',
    'sliding',
  ])
    options[name] = { type: 'boolean', default: false }
  const { values } = parseArgs({ args: argv, options })
  const counts = {}
  for (const [name, otherwise] of Object.entries(COUNT)) {
    const text = values[name] ?? otherwise
    if (text === undefined) continue
    const least = ['sync-rooms', 'search', 'purge'].includes(name) ? 0 : 1
    const value = Number(text)
    if (!Number.isInteger(value) || value < least || value > LARGEST[name])
      throw new Error(`--${name} takes a whole number from ${least} to ${LARGEST[name]}`)
    counts[name] = value
  }
  const parts = values.parts?.split(',') ?? PARTS
  const unknown = parts.filter((part) => !PARTS.includes(part))
  if (unknown.length > 0) throw new Error(`--parts takes some of ${PARTS.join(', ')}`)
  const users = counts.users ?? 2 * counts.members
  if (users < counts.members) throw new Error('--users must be at least --members')
  return {
    seconds: counts.seconds,
    senders: counts.senders,
    rooms: counts.rooms,
    members: counts.members,
    users,
    syncRooms: values.large ? Math.max(LARGE.syncRooms, counts['sync-rooms']) : counts['sync-rooms'],
    large: values.large ? LARGE : undefined,
    federation: values.federation || values['only-federation'] ? { ...FEDERATION, parts } : undefined,
    onlyFederation: values['only-federation'],
    accessRules: values['access-rules']
      ? { users, rooms: counts.rooms, members: counts.members, rounds: ROUNDS }
      : undefined,
    sliding: values.sliding ? SLIDING : undefined,
    search: counts.search,
    purge: counts.purge,
    circle: values.circle ? CIRCLE : undefined,
    postgres: values.postgres,
    dist: values.dist,
    profile: values.profile,
    keep: values.keep,
    json: values.json,
    help: values.help,
  }
}
