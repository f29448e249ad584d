import type { RoomComparison, RoomHealing } from '../services/replication/receiving/room-comparison.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { printable } from './reports.js'

/** Without the quotes around it. */
const plain = (text: string): string => printable(text).slice(1, -1)

export function comparisonLines(comparison: RoomComparison): string[] {
  const { server, ourHeads, theirHeads, unknown, points } = comparison
  const [here, there] = [ourHeads, theirHeads].map((ids) => ids.map(plain).join(' '))
  const same = ourHeads.toSorted().join() === theirHeads.toSorted().join()
  const lines = [
    same
      ? `the latest events are the same here and on ${server}: ${here}`
      : `the latest events here are ${here}; on ${server} they are ${there}`,
    ...unknown.map((id) => `unknown here: ${plain(id)}`),
  ]
  for (const { head, known, differences, more } of points) {
    const where = known
      ? `before ${plain(head)}`
      : `before ${plain(head)}, compared with the present one here,`
    lines.push(
      differences.length === 0 ? `the state ${where} is the same` : `the state ${where} differs:`,
      ...differences.map(
        ({ type, stateKey, ours, theirs }) =>
          `    ${plain(type)} ${printable(stateKey)}: here ${plain(ours ?? 'nothing')}, there ${plain(theirs ?? 'nothing')}`,
      ),
      ...(more > 0 ? [`    and ${more} more`] : []),
    )
  }
  return lines
}

const areSame = ({ unknown, points }: RoomComparison): boolean =>
  unknown.length === 0 && points.every(({ differences }) => differences.length === 0)

export function healingLines({ servers, heads }: RoomHealing): string[] {
  return [
    ...servers.map(({ server, brought, changes, failure }) =>
      failure === undefined
        ? `${server}: ${brought} latest events were missing here and came; ${changes} changes of the state`
        : `${server} did not help: ${plain(failure)}`,
    ),
    ...(servers.length === 0 ? ['no other server is in the room'] : []),
    `the room has ${heads} latest ${heads === 1 ? 'event' : 'events'} now`,
  ]
}

export const room: Command = {
  name: 'room',
  summary: 'compare a room with what another server has of it, or fetch what is missing here',
  words: ['compare-state|heal', 'ROOM', 'SERVER'],
  help: [
    '  compare-state ROOM SERVER   where the latest events and the state differ; changes nothing. Exit code 1 where they do',
    '  heal ROOM                   ask the servers in the room for what is missing here; all of it is judged by the rules',
    '  ROOM is an id such as !abc:example.org. The node must be running.',
    CONFIG_HELP,
  ],
  options: CONFIG_OPTION,
  async run(options, io) {
    const action = word(this, options, 0)
    if (action !== 'compare-state' && action !== 'heal')
      throw new CliError(`\`${action}\` is neither \`compare-state\` nor \`heal\``, EXIT.usage)
    const roomId = word(this, options, 1)
    if (action === 'heal' && options.words.length > 2)
      throw new CliError('`heal` takes no server: all in the room are asked', EXIT.usage)
    const server = action === 'compare-state' ? word(this, options, 2) : undefined
    const { config } = configFrom(options, io)
    const { nodeOperator, NoNode } = await import('./node-operator.js')
    const operator = nodeOperator(config.operator_socket)
    try {
      if (server === undefined) {
        healingLines(await operator.healRoom(roomId)).forEach((line) => io.out(line))
        return EXIT.ok
      }
      const comparison = await operator.compareState(roomId, server)
      comparisonLines(comparison).forEach((line) => io.out(line))
      return areSame(comparison) ? EXIT.ok : EXIT.failed
    } catch (error) {
      if (!(error instanceof NoNode)) throw error
      throw new CliError(
        `no node answers at ${config.operator_socket}: it must run, since it talks to the others`,
      )
    }
  },
}
