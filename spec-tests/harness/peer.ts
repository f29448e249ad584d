import { randomBytes } from 'node:crypto'
import { buildEvent } from '../../src/core/event/build.js'
import { readPdu } from '../../src/core/event/format.js'
import type { RoomEvent } from '../../src/core/event/types.js'
import type { Json, JsonObject } from '../../src/core/json/value.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { authorizationHeader } from '../../src/services/federation/x-matrix.js'
import type { Certificate } from '../../src/platform/certificate.js'
import { call, type Answer } from './client.js'
import { startForeignServer, type ForeignServer } from './foreign-server.js'
import type { Homeserver } from './homeserver.js'

/** A homeserver of the test's own that speaks with the one under test. */
export interface Peer {
  readonly server: ForeignServer
  /** A new user of it, who exists nowhere else. */
  user(): string
  /** A signed request. */
  call(method: string, path: string, options?: PeerCall): Promise<Answer>
  /** The same; anything but 200 fails the test. */
  // oxlint-disable-next-line typescript/no-explicit-any
  ok(method: string, path: string, options?: PeerCall): Promise<any>
  /** Asks for a template, makes an event of it, and gives both; the event is not sent. */
  prepare(kind: 'join' | 'leave' | 'knock', roomId: string, userId: string): Promise<Prepared>
  /** Joins a user to a room of the other server. */
  join(roomId: string, userId: string): Promise<Joined>
}

export interface PeerCall {
  readonly query?: string
  readonly body?: unknown
  /** Another server than itself as the one that asks. */
  readonly origin?: string
  readonly uncheckedBecause?: string
}

export interface Prepared {
  readonly version: string
  readonly event: RoomEvent
}

export interface Joined extends Prepared {
  /** Makes an event of the joined user behind the last one that the peer knows. */
  next(fields: { type: string; content: JsonObject; stateKey?: string; prev?: readonly string[] }): RoomEvent
  /** Everything that `send_join` gave. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly answer: any
}

export const fed = (path: string, version = 1): string => `/_matrix/federation/v${version}${path}`
const enc = encodeURIComponent
const VERSIONS = Array.from({ length: 12 }, (_, i) => `ver=${i + 1}`)

/** Runs a test with a peer of its own. */
export const withPeer =
  (authority: Certificate, run: (server: Homeserver, peer: Peer) => Promise<void>) =>
  async (server: Homeserver): Promise<void> => {
    const foreign = await startForeignServer(authority)
    try {
      await run(server, peerOf(foreign, server))
    } finally {
      await foreign.close()
    }
  }

/** A peer that speaks as this server. */
export function peerOf(foreign: ForeignServer, to: Homeserver): Peer {
  const signer = { ...foreign.signer, publicKey: '' }
  const peer: Peer = {
    server: foreign,
    user: () => `@eve-${randomBytes(3).toString('hex')}:${foreign.name}`,
    call(method, path, { query = '', body, origin = foreign.name, uncheckedBecause } = {}) {
      const uri = query === '' ? path : `${path}?${query}`
      // As it is sent: without members that are undefined.
      const content = body === undefined ? undefined : (JSON.parse(JSON.stringify(body)) as Json)
      const request = { method, uri, origin, destination: to.serverName, content }
      return call(to.url, method, uri, {
        body,
        headers: { authorization: authorizationHeader(request, signer)! },
        ...(uncheckedBecause && { uncheckedBecause }),
      })
    },
    async ok(method, path, options) {
      const { status, body } = await peer.call(method, path, options)
      if (status !== 200) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`)
      return body
    },
    async prepare(kind, roomId, userId) {
      const path = fed(`/make_${kind}/${enc(roomId)}/${enc(userId)}`)
      const answer = await peer.ok('GET', path, { query: kind === 'leave' ? '' : VERSIONS.join('&') })
      const { event: template, room_version: version = '1' } = answer
      const event = buildEvent(
        {
          type: template.type,
          sender: template.sender,
          stateKey: template.state_key,
          roomId: template.room_id,
          content: template.content,
          depth: template.depth,
          originServerTs: Date.now(),
          prevEvents: template.prev_events,
          authEvents: template.auth_events,
        },
        roomVersion(version)!,
        foreign.signer,
      )
      return { version, event }
    },
    async join(roomId, userId) {
      const { version, event } = await peer.prepare('join', roomId, userId)
      const answer = await peer.ok('PUT', fed(`/send_join/${enc(roomId)}/${enc(event.id)}`, 2), {
        body: event.pdu,
      })
      const rules = roomVersion(version)!
      let last = event
      return {
        version,
        event,
        answer,
        next({ type, content, stateKey, prev }) {
          last = buildEvent(
            {
              type,
              sender: userId,
              stateKey,
              roomId,
              content,
              depth: last.depth + 1,
              originServerTs: Date.now(),
              prevEvents: prev ?? [last.id],
              // The join stands on the same create event and power levels, and not on what came before it.
              authEvents: [...event.authEvents.filter((id) => standsFor(answer, id, rules.id)), event.id],
            },
            rules,
            foreign.signer,
          )
          return last
        },
      }
    },
  }
  return peer
}

/** Whether an event that authorised a join authorises the messages of who joined as well: not the join rules, nor an invite. */
function standsFor(
  answer: { auth_chain: JsonObject[]; state: JsonObject[] },
  id: string,
  version: string,
): boolean {
  const rules = roomVersion(version)!
  return [...answer.state, ...answer.auth_chain].some(
    (pdu) =>
      ['m.room.create', 'm.room.power_levels'].includes(pdu['type'] as string) && idOf(pdu, rules) === id,
  )
}

function idOf(pdu: JsonObject, rules: NonNullable<ReturnType<typeof roomVersion>>): string | undefined {
  const read = readPdu(pdu, rules)
  return read.ok ? read.event.id : undefined
}
