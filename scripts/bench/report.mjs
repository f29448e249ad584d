const whole = (value) => Math.round(value).toLocaleString('en')
const ms = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(1))
const mib = (bytes) => (bytes / 2 ** 20).toFixed(0)

const row = (...cells) => `| ${cells.join(' | ')} |`
const table = (head, rows) => [
  row(...head),
  row(...head.map(() => '---')),
  ...rows.map((cells) => row(...cells)),
]

function largeRows(large) {
  if (large === undefined) return []
  const { incremental, idle, room } = large
  return [
    [
      `/sync of a user in ${whole(incremental.rooms)} rooms, ${incremental.roomsWithNews} with news`,
      `${ms(incremental.cpuMsPerSync)} ms CPU, p50 / p99 ${ms(incremental.p50)} / ${ms(incremental.p99)} ms`,
    ],
    [
      `memory (RSS) with ${whole(idle.polls)} idle long polls`,
      `${mib(idle.rssBytes)} MiB (${mib(idle.rssBeforeBytes)} before), ${(idle.cpuShare * 100).toFixed(1)} % of a core`,
    ],
    [
      `CPU of a message in a room of ${whole(room.members)} local members, ${whole(room.ownRules)} with push rules of their own`,
      `${ms(room.cpuMsPerMessage)} ms, loop delay at most ${ms(room.loopMaxMs)} ms`,
    ],
  ]
}

function slidingRows(sliding) {
  if (sliding === undefined) return []
  const { rooms, coldMs, queue } = sliding
  const line = ({ p50, p99, cpuMs }) => `${ms(cpuMs)} ms CPU, p50 / p99 ${ms(p50)} / ${ms(p99)} ms`
  return [
    [
      `sliding sync, user in ${whole(rooms)} rooms: first window of 20, once after the start`,
      `${ms(coldMs)} ms`,
    ],
    ['the same, later', line(sliding.first)],
    ['one room with news', line(sliding.one)],
    ['no news', line(sliding.none)],
    [
      `${whole(queue.messages)} messages that wait for a device`,
      `${whole(queue.answers)} answers of at most ${whole(queue.largest / 1024)} KiB, ${whole(queue.ms)} ms, ${ms(queue.cpuMs)} ms CPU, loop delay at most ${ms(queue.loopMaxMs)} ms`,
    ],
  ]
}

const searchRows = (searches = []) =>
  searches.map((item) => [
    `/search in ${whole(item.messages)} messages, user in ${whole(item.rooms)} rooms, by ${item.orderBy}; p50 / p95 / p99`,
    `${ms(item.p50)} / ${ms(item.p95)} / ${ms(item.p99)} ms, ${ms(item.cpuMs)} ms CPU, ${item.results.toFixed(1)} results`,
  ])

function federationTable(federation) {
  if (federation === undefined) return []
  const { inbound, outbound, latency, resolution, join } = federation
  const rooms = (count) => (count === 1 ? 'one room' : `${whole(count)} rooms`)
  const servers = (count) => (count === 1 ? 'one server' : `${whole(count)} servers`)
  const rows = [
    ...inbound.map((item) => [
      `events of one other server in ${rooms(item.rooms)}, until all are applied`,
      `${whole(item.perSecond)} events/s, ${item.cpuMsPerPdu.toFixed(2)} ms of CPU each`,
    ]),
    ...outbound.map((item) => [
      `events in a room with ${servers(item.destinations)}, until all have them`,
      `${whole(item.perSecond)} events/s (${whole(item.deliveredPerSecond)} deliveries), ${ms(item.cpuMsPerEvent)} ms of CPU each, ${item.pdusPerTransaction.toFixed(1)} in a transaction`,
    ]),
  ]
  if (latency !== undefined) {
    rows.push([
      'a message to the /sync of a user on another node, p50 / p95 / p99',
      `${ms(latency.p50)} / ${ms(latency.p95)} / ${ms(latency.p99)} ms`,
    ])
  }
  if (resolution !== undefined) {
    rows.push([
      `state resolution of two branches with ${whole(resolution.events)} events`,
      `${whole(resolution.ms)} ms, ${whole(resolution.cpuMs)} ms of CPU, longest turn ${whole(resolution.loopMaxMs)} ms`,
    ])
  }
  if (join !== undefined) {
    rows.push([
      `join of a room with ${whole(join.members)} members, ${whole(join.events)} events`,
      `${(join.ms / 1000).toFixed(1)} s, ${(join.cpuMs / 1000).toFixed(1)} s of CPU, longest turn ${whole(join.loopMaxMs)} ms`,
    ])
  }
  return table(['federation', 'value'], rows)
}

const accessRulesTable = ({ rounds, sends, message, state }) =>
  table(
    [
      `CPU of a send, the least of ${rounds} rounds of ${sends}`,
      'without rules',
      'with rules',
      'more',
      'more, middle of the pairs',
    ],
    [
      ['a message', message],
      ['a state event', state],
    ].map(([name, { offMs, onMs, middleShare }]) => [
      name,
      `${offMs.toFixed(3)} ms`,
      `${onMs.toFixed(3)} ms`,
      `${((onMs / offMs - 1) * 100).toFixed(1)} %`,
      `${(middleShare * 100).toFixed(1)} %`,
    ]),
  )

const timesLine = ({ p50, p95, p99 }) => `${ms(p50)} / ${ms(p95)} / ${ms(p99)} ms`

const purgeTable = ({ events, seconds, perSecond, cpuMs, loopMaxMs, calm, during }) =>
  table(
    ['measure', 'value'],
    [
      ['purged', `${whole(events)} events in ${whole(seconds)} s, ${whole(perSecond)} a second`],
      [`a message meanwhile, p50 / p95 / p99 of ${whole(during.sends)}`, timesLine(during)],
      [`a message while nothing is purged, p50 / p95 / p99 of ${whole(calm.sends)}`, timesLine(calm)],
      ['CPU, messages included / longest delay of the loop', `${whole(cpuMs)} ms / ${ms(loopMaxMs)} ms`],
    ],
  )

const circleTable = ({
  nodes,
  dead,
  rooms,
  found,
  firstRooms,
  laterRooms,
  firstPeople,
  laterPeople,
  loopMaxMs,
}) =>
  table(
    [
      `${nodes} nodes of which ${dead} never answer`,
      'first',
      'later, p50 / p95 / p99',
      'longest',
      'CPU each',
    ],
    [
      [`a page of ${whole(rooms)} public rooms`, firstRooms, laterRooms],
      [`a search for people, of ${whole(found)} nodes`, firstPeople, laterPeople],
    ].map(([name, first, later]) => [
      name,
      `${ms(first.first)} ms`,
      timesLine(later),
      `${ms(later.longest)} ms`,
      `${ms(later.cpuMs)} ms`,
    ]),
  ).concat(row('longest delay of the loop', `${ms(loopMaxMs)} ms`, '', '', ''))

const machineLine = ({ node, cpus, cpu, database, load }) =>
  `Node ${node}, ${cpus} × ${cpu}, ${database}; load tool on the same machine. Load average ${load}.`

/** The results for people, as Markdown. */
export function report(result) {
  const { machine, options, sends, fanOut, initialSyncs } = result
  if (result.accessRules !== undefined)
    return [machineLine(machine), '', ...accessRulesTable(result.accessRules)].join('\n')
  if (result.purge !== undefined) return [machineLine(machine), '', ...purgeTable(result.purge)].join('\n')
  if (result.circle !== undefined) return [machineLine(machine), '', ...circleTable(result.circle)].join('\n')
  if (options.onlyFederation)
    return [machineLine(machine), '', ...federationTable(result.federation)].join('\n')
  const lines = [
    machineLine(machine),
    `${options.users} users, ${options.rooms} rooms of ${options.members} members, ${options.seconds} s each.`,
    '',
    ...table(
      ['sends', 'a second', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms a send', 'loop delay p99 / max ms'],
      sends.map((item) => [
        `${item.senders} senders, ${item.rooms} rooms`,
        whole(item.perSecond),
        ms(item.p50),
        ms(item.p95),
        ms(item.p99),
        item.cpuMsPerSend.toFixed(3),
        `${ms(item.loopP99Ms)} / ${ms(item.loopMaxMs)}`,
      ]),
    ),
    '',
    ...table(
      ['measure', 'value'],
      [
        ['start-up, until it answers', `${whole(result.startUpMs)} ms`],
        ['memory (RSS) idle / after', `${mib(result.idleRssBytes)} MiB / ${mib(result.rssBytes)} MiB`],
        [
          `fan-out to ${fanOut.readers} long polls, p50 / p95 / p99`,
          `${ms(fanOut.p50)} / ${ms(fanOut.p95)} / ${ms(fanOut.p99)} ms`,
        ],
        [`CPU of a message with its ${fanOut.readers} answers`, `${ms(fanOut.cpuMsPerMessage)} ms`],
        ...(fanOut.missing > 0 ? [['messages that members did not get', whole(fanOut.missing)]] : []),
        ...initialSyncs.map((item) => [
          `initial sync, ${item.rooms} rooms, p50 / p99`,
          `${ms(item.p50)} / ${ms(item.p99)} ms, ${ms(item.cpuMsPerSync)} ms CPU, ${whole(item.bytes / 1024)} KiB`,
        ]),
        ...largeRows(result.large),
        ...slidingRows(result.sliding),
        ...searchRows(result.searches),
        [
          'CPU of a registration / of a join',
          `${ms(result.cpuMsPerUser)} ms / ${ms(result.cpuMsPerJoin)} ms`,
        ],
      ],
    ),
  ]
  for (const [name, disk] of [
    ['sent event', result.diskPerSend],
    ['join', result.diskPerJoin],
  ]) {
    lines.push(
      '',
      ...table(
        [`on disk for each ${name}`, 'rows', 'bytes'],
        [
          ...disk.tables.map((item) => [item.name, item.rows.toFixed(2), whole(item.bytes)]),
          ['sum', disk.rows.toFixed(2), whole(disk.bytes)],
        ],
      ),
    )
  }
  if (result.federation !== undefined) lines.push('', ...federationTable(result.federation))
  return lines.join('\n')
}
