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

const searchRows = (searches = []) =>
  searches.map((item) => [
    `/search in ${whole(item.messages)} messages, user in ${whole(item.rooms)} rooms, by ${item.orderBy}; p50 / p95 / p99`,
    `${ms(item.p50)} / ${ms(item.p95)} / ${ms(item.p99)} ms, ${ms(item.cpuMs)} ms CPU, ${item.results.toFixed(1)} results`,
  ])

/** The results for people, as Markdown. */
export function report(result) {
  const { machine, options, sends, fanOut, initialSyncs } = result
  const lines = [
    `Node ${machine.node}, ${machine.cpus} × ${machine.cpu}, ${machine.database}; load tool on the same machine.`,
    `${options.users} users, ${options.rooms} rooms of ${options.members} members, ${options.seconds} s each. Load average ${machine.load}.`,
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
  return lines.join('\n')
}
