import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import { settledWithin } from '../../platform/settled-within.js'
import { FederationError } from '../federation/client.js'
import type { NodeListService } from '../node-list/node-list.js'

/** The other nodes of the circle, as far as people and rooms are looked for there. */
export interface CircleNodes {
  /** Names of those that are asked: all members but this one and the external ones. */
  servers(): readonly string[]
  /** What people call a node of the circle, of any role; undefined for all others. */
  labelOf(server: string): string | undefined
  /** Whether a server may ask this node for people and rooms: a member that is not external, while this node is none either. */
  mayAsk(server: string): boolean
  /** Whether this node is one of external people, who are shown no directory. */
  isExternal(): boolean
  /**
   * Puts a question to all of them at once. Gives what has come in time; a node that fails is left alone for a while, so that it costs time once.
   * `among`: those of them that are meant; default all.
   */
  ask<T>(question: (server: string) => Promise<T>, among?: readonly string[]): Promise<ReadonlyMap<string, T>>
}

/** How long a node is left alone that could not be reached, does not know the question, refuses, or has had too much. */
const PAUSE = { unreachable: 60_000, unknown: 600_000, refused: 60_000, busy: 2_000 }
/** Questions under way, of all searches together: what is more is not asked. */
const MAX_UNDER_WAY = 1_000
const MAX_PAUSED = 10_000
/** Nodes that are asked, the first of the list. */
const MAX_NODES = 200

function pauseAfter(error: unknown): number {
  if (!(error instanceof FederationError) || error.kind !== 'status') return PAUSE.unreachable
  if (error.status === 404) return PAUSE.unknown
  return error.status === 429 ? PAUSE.busy : PAUSE.refused
}

export function createCircleNodes(deps: {
  readonly clock: Clock
  readonly logger: Logger
  readonly serverName: string
  readonly nodeList: Pick<NodeListService, 'memberNames' | 'member' | 'roleOf'>
  /** How long an answer waits for other nodes. Milliseconds. */
  readonly waitMs: number
}): CircleNodes {
  const { clock, logger, serverName, nodeList, waitMs } = deps
  const paused = createLru<string, true>({ max: MAX_PAUSED, clock })
  let underWay = 0

  /** When the questions were put that a node has not answered yet. */
  const open = new Map<string, readonly number[]>()
  /** A node that keeps somebody waiting is not asked again before it has answered, so that it costs others no time. */
  const isSlow = (server: string): boolean =>
    (open.get(server) ?? []).some((since) => since + waitMs <= clock.monotonic())

  async function put<T>(server: string, question: (server: string) => Promise<T>): Promise<T> {
    const since = clock.monotonic()
    open.set(server, [...(open.get(server) ?? []), since])
    underWay++
    try {
      return await question(server)
    } catch (error) {
      paused.set(server, true, pauseAfter(error))
      logger.debug({ err: error, server }, 'a node of the circle did not answer for its directory')
      throw error
    } finally {
      underWay--
      const others = (open.get(server) ?? []).filter((one) => one !== since)
      if (others.length === 0) open.delete(server)
      else open.set(server, others)
    }
  }

  const isExternal = (): boolean => nodeList.roleOf(serverName) === 'external'
  const servers = (): readonly string[] =>
    nodeList
      .memberNames()
      .filter((server) => server !== serverName && nodeList.member(server)?.role !== 'external')
      .slice(0, MAX_NODES)

  return {
    servers,
    labelOf: (server) => nodeList.member(server)?.label,
    mayAsk(server) {
      const role = nodeList.member(server)?.role
      return role !== undefined && role !== 'external' && !isExternal()
    },
    isExternal,
    ask(question, among = servers()) {
      const work = new Map(
        among
          .filter((server) => paused.get(server) === undefined && !isSlow(server))
          .slice(0, Math.max(0, MAX_UNDER_WAY - underWay))
          .map((server) => [server, put(server, question)] as const),
      )
      return settledWithin(work, waitMs)
    },
  }
}
