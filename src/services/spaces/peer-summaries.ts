import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import { encodePath, FederationError, type FederationClient } from '../federation/client.js'
import { readPeerHierarchy, type PeerHierarchy } from './peer-answer.js'

/** What other servers say about rooms that this one is not in. */
export interface PeerSummaries {
  /**
   * Asks these servers one after the other; undefined where none of them describes the room, or the signal was aborted first.
   * Answers are kept for minutes, refusals not; a server that could not be reached is left alone for one.
   */
  of(roomId: string, via: readonly string[], signal: AbortSignal): Promise<PeerHierarchy | undefined>
}

const MAX_ASKED = 4
const TIMEOUT = 8_000
const MAX_BYTES = 1024 * 1024
const KEPT = 5 * 60_000
const REFUSAL_KEPT = 60_000
const UNREACHABLE_KEPT = 60_000
const MAX_CACHED = 2_000
/** Characters of JSON of all answers that are kept. */
const MAX_CACHED_TEXT = 16 * 1024 * 1024

interface Kept {
  readonly hierarchy: PeerHierarchy | undefined
  readonly size: number
  readonly until: number
}

export function createPeerSummaries(deps: {
  readonly client: Pick<FederationClient, 'request'>
  readonly clock: Clock
  readonly logger: Logger
  readonly serverName: string
}): PeerSummaries {
  const { client, clock } = deps
  /** By server and room: what one server says of another's room is its own word only. */
  const answers = new Map<string, Kept>()
  let kept = 0
  const asking = new Map<string, Promise<PeerHierarchy | undefined>>()
  const unreachable = createLru<string, true>({ max: 1_000, ttlMs: UNREACHABLE_KEPT, clock })

  function drop(key: string): void {
    kept -= answers.get(key)?.size ?? 0
    answers.delete(key)
  }

  function keep(key: string, hierarchy: PeerHierarchy | undefined, size: number): void {
    drop(key)
    answers.set(key, {
      hierarchy,
      size,
      until: clock.monotonic() + (hierarchy === undefined ? REFUSAL_KEPT : KEPT),
    })
    kept += size
    while (answers.size > MAX_CACHED || kept > MAX_CACHED_TEXT) drop(answers.keys().next().value!)
  }

  async function ask(key: string, server: string, roomId: string): Promise<PeerHierarchy | undefined> {
    try {
      const answer = await client.request({
        destination: server,
        method: 'GET',
        path: encodePath('/_matrix/federation/v1', 'hierarchy', roomId),
        query: { suggested_only: false },
        timeoutMs: TIMEOUT,
        maxBytes: MAX_BYTES,
      })
      const hierarchy = readPeerHierarchy(answer, roomId)
      keep(key, hierarchy, hierarchy === undefined ? 0 : JSON.stringify(answer).length)
      return hierarchy
    } catch (error) {
      if (!(error instanceof FederationError)) throw error
      deps.logger.debug({ err: error, server, roomId }, 'a server did not describe a room')
      // A refusal may be over as soon as a user joins a space, and is then expected to be.
      if (error.kind !== 'status') unreachable.set(server, true)
      else if (error.status !== 403 && error.status !== 404) keep(key, undefined, 0)
      return undefined
    }
  }

  /** Those who ask for the same at the same time share the answer, so no single one of them may end the request. */
  function fromServer(server: string, roomId: string): Promise<PeerHierarchy | undefined> {
    const key = `${server} ${roomId}`
    const known = answers.get(key)
    if (known !== undefined && known.until > clock.monotonic()) return Promise.resolve(known.hierarchy)
    if (unreachable.get(server) === true) return Promise.resolve(undefined)
    let running = asking.get(key)
    if (running === undefined) {
      running = ask(key, server, roomId).finally(() => asking.delete(key))
      asking.set(key, running)
    }
    return running
  }

  return {
    async of(roomId, via, signal) {
      const servers = [...new Set(via)].filter((server) => server !== deps.serverName).slice(0, MAX_ASKED)
      for (const server of servers) {
        if (signal.aborted) return undefined
        const found = await orAborted(fromServer(server, roomId), signal)
        if (found !== undefined) return found
      }
      return undefined
    },
  }
}

/** Undefined as soon as the signal is aborted. */
async function orAborted<T>(work: Promise<T | undefined>, signal: AbortSignal): Promise<T | undefined> {
  let stop: () => void = () => undefined
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
    // Whoever still waits for it hears of its failure.
    work.catch(() => undefined)
  }
}
