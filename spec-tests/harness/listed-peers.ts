import type { JsonObject } from '../../src/core/json/value.js'
import { memberJson } from '../../src/core/node-list/testing.js'
import { startMailServer, type ReceivedMail } from '../../src/services/mail/testing-smtp.js'
import { startForeignServer, type ForeignServer } from './foreign-server.js'
import type { Homeserver, WantedNode } from './homeserver.js'
import { createNodeListFile, goesBy } from './node-list-file.js'
import { testAuthority, type NodeOptions } from './node.js'
import { peerOf, withPeer, type Peer } from './peer.js'
import { refusal } from './section.js'

/** The domain of addresses that belong to the server under test. */
export const OWN_DOMAIN = 'finances.example'
export const MEMBER_DOMAIN = 'interieur.example'

type Run = (server: Homeserver) => Promise<void>

export interface ListedPeers {
  /** Of the test's own, in the list beside the server under test. */
  readonly member: Peer
  /** The same, for people from outside: all addresses that belong to nobody else. */
  readonly external: Peer
}

/** A server under test in a circle with servers of the test's own. */
export interface CircleOfPeers {
  /** For the section. */
  readonly node: WantedNode
  /** A test that runs when the server goes by the list. */
  inCircle(run: (server: Homeserver, peers: ListedPeers) => Promise<void>): Run
  /** A test that somebody who does not stand in the list is refused. */
  refusesStrangers(method: string, path: string, options?: { body?: unknown; query?: string }): Run
  /** What the server has sent. */
  mails(): readonly ReceivedMail[]
}

interface Started {
  readonly member: ForeignServer
  readonly external: ForeignServer
  readonly mails: readonly ReceivedMail[]
  /** The list names the server under test, whose name is known only when it runs. */
  publish(server: Homeserver): Promise<unknown>
}

const entryOf = ({ name, port }: ForeignServer, more: JsonObject): JsonObject =>
  memberJson(name, { keys: [], addresses: [{ host: 'localhost', port }], ...more })

/** @param config of the server, beside what makes it one of a circle that writes mails */
export function circleOfPeers(config: NonNullable<NodeOptions['config']> = {}): CircleOfPeers {
  const authority = testAuthority()
  let started: Started | undefined
  let published: Promise<unknown> | undefined

  async function node(): Promise<NodeOptions & { dispose(): Promise<void> }> {
    const list = await createNodeListFile()
    const mail = await startMailServer({ tls: 'off' })
    const [member, external] = [await startForeignServer(authority), await startForeignServer(authority)]
    published = undefined
    started = {
      member,
      external,
      mails: mail.mails,
      async publish(server) {
        await list.publish([
          memberJson(server.serverName, { keys: [], email: { domains: [OWN_DOMAIN] } }),
          entryOf(member, { email: { domains: [MEMBER_DOMAIN] } }),
          entryOf(external, { role: 'external', email: { fallback: true } }),
        ])
        return goesBy(server.publicUrl)
      },
    }
    return {
      authority,
      config: {
        ...config,
        node_list: list.nodeList,
        mail: { host: '127.0.0.1', port: mail.port, tls: 'off', from: 'matrix@administration.example' },
      },
      async dispose() {
        await Promise.all([member.close(), external.close()])
        await mail.close()
        await list.dispose()
      },
    }
  }

  const inCircle: CircleOfPeers['inCircle'] = (run) => async (server) => {
    const { member, external, publish } = started!
    published ??= publish(server)
    await published
    await run(server, { member: peerOf(member, server), external: peerOf(external, server) })
  }
  return {
    node,
    inCircle,
    refusesStrangers: (method, path, options) =>
      inCircle(
        withPeer(authority, async (_, stranger) => {
          await refusal(stranger.call(method, path, options), 403, 'M_FORBIDDEN')
        }),
      ),
    mails: () => started!.mails,
  }
}
