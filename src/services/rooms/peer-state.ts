import type { NodeName } from '../../core/state-trie/node.js'

/** A state that another server has told of: a root that is here, and a state event after it. */
export interface PeerState {
  readonly root: NodeName
  /** Nid of the state event. */
  readonly then: number | undefined
}

/** As `partial_events.peer_state` holds what several predecessors lead to. */
export const peerStateOf = (states: readonly PeerState[]): string =>
  JSON.stringify(states.map(({ root, then }) => [root, then ?? null]))

export const readPeerState = (text: string | null): readonly PeerState[] =>
  text === null
    ? []
    : (JSON.parse(text) as readonly [NodeName, number | null][]).map(([root, then]) => ({
        root,
        then: then ?? undefined,
      }))
