import type { Readable } from 'node:stream'
import type { RoomEvent } from '../../../core/event/types.js'
import { isServerName } from '../../../core/ids/server-name.js'
import type { JsonObject } from '../../../core/json/value.js'
import { MatrixError } from '../../../core/errors.js'
import { encodePath, FederationError, type FederationClient } from '../../federation/client.js'
import type { Keys } from '../../federation/keys.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { OutsideMemberships } from '../../rooms/outside-memberships.js'
import { isUnrecognized, matrixErrorOf } from '../peers/peer-failure.js'
import type { PduIntake } from '../peers/pdu-intake.js'
import type { Handshake } from '../peers/template.js'
import type { Arrivals } from './arrivals.js'

export interface HandshakeDeps {
  readonly context: RoomsContext
  readonly client: Pick<FederationClient, 'request' | 'requestStream'>
  readonly keys: Pick<Keys, 'verify' | 'verifyEventSignatures'>
  readonly intake: PduIntake
  readonly outside: OutsideMemberships
  /** Keeps what other servers say of a room while it is being joined. */
  readonly arrivals?: Arrivals
  readonly options?: HandshakeOptions
}

export interface HandshakeOptions {
  /** For an ordinary request to one server. Default 20 seconds. */
  readonly requestTimeoutMs?: number
  /** For the answer to a join, which can be large. Default 5 minutes. */
  readonly joinTimeoutMs?: number
  /** In which the answer to a join must make headway, in milliseconds. Default 20 seconds. */
  readonly paceWindowMs?: number
  /** After which no further server is asked. Default 1 minute. */
  readonly patienceMs?: number
  /** Joins ask for the room without its members, which are fetched afterwards. Default false. */
  readonly fasterJoins?: boolean
}

/** Servers asked in one handshake. */
const MAX_SERVERS = 8
/** Of the answer to a join: about 250,000 events. */
const MAX_ANSWER_BYTES = 300 * 1024 * 1024

/**
 * Tries one server after the other until one helps. Throws the most telling of their refusals. Names that are none
 * and ourselves are not asked.
 */
export async function withSomeServer<T>(
  { context, options = {} }: Pick<HandshakeDeps, 'context' | 'options'>,
  via: readonly string[],
  attempt: (server: string) => Promise<T>,
): Promise<T> {
  const { clock, logger } = context
  const end = clock.monotonic() + (options.patienceMs ?? 60_000)
  const servers = [...new Set(via)].filter((server) => server !== context.serverName && isServerName(server))
  const failures: unknown[] = []
  for (const server of servers.slice(0, MAX_SERVERS)) {
    if (failures.length > 0 && clock.monotonic() > end) break
    try {
      return await attempt(server)
    } catch (error) {
      // What is wrong with our own event is wrong for every server.
      const theirs = error instanceof MatrixError && error.errcode === 'M_INCOMPATIBLE_ROOM_VERSION'
      if (!(error instanceof FederationError) && !theirs) throw error
      logger.info({ server, err: error }, 'a server did not help with a membership')
      failures.push(error)
    }
  }
  throw matrixErrorOf(failures)
}

/** Sends a signed membership event, by the second version of the endpoint where there is one, else by the first. */
export async function sendMembership(
  { client, options = {} }: Pick<HandshakeDeps, 'client' | 'options'>,
  kind: Handshake,
  server: string,
  event: RoomEvent,
  omitMembers = false,
): Promise<Readable> {
  const send = async (version: 'v1' | 'v2'): Promise<Readable> => {
    const answer = await client.requestStream({
      destination: server,
      method: 'PUT',
      path: encodePath(`/_matrix/federation/${version}`, `send_${kind}`, event.roomId, event.id),
      ...(omitMembers && version === 'v2' ? { query: { omit_members: true } } : {}),
      body: event.pdu as JsonObject,
      timeoutMs: kind === 'join' ? (options.joinTimeoutMs ?? 300_000) : (options.requestTimeoutMs ?? 20_000),
      maxBytes: kind === 'join' ? MAX_ANSWER_BYTES : 4 * 1024 * 1024,
    })
    return answer.body
  }
  if (kind === 'knock') return send('v1')
  try {
    return await send('v2')
  } catch (error) {
    if (isUnrecognized(error)) return send('v1')
    throw error
  }
}
