/** One key of a room's state on which two servers differ; event ids, undefined where one has nothing. */
export interface StateDifference {
  readonly type: string
  readonly stateKey: string
  readonly ours: string | undefined
  readonly theirs: string | undefined
}

/** What another server says of a room beside what is here. */
export interface RoomComparison {
  readonly server: string
  /** Ids of the events that the next one would follow. */
  readonly ourHeads: readonly string[]
  readonly theirHeads: readonly string[]
  /** Heads of the other server that have no place in the room here. */
  readonly unknown: readonly string[]
  /** The states before some of the other server's heads. */
  readonly points: readonly {
    readonly head: string
    /** False: the head is unknown here, so that the present state stands for ours. */
    readonly known: boolean
    readonly differences: readonly StateDifference[]
    /** Further differences, which are not listed. */
    readonly more: number
  }[]
}

/** What an attempt to heal a room has done. */
export interface RoomHealing {
  readonly servers: readonly {
    readonly server: string
    /** Heads that were unknown here and that it gave. */
    readonly brought: number
    /** Changes of the present state that its state has brought. */
    readonly changes: number
    /** Why it was of no help; undefined where it was. */
    readonly failure: string | undefined
  }[]
  readonly heads: number
}

/** Rooms that have drifted apart from what other servers have. Throws M_NOT_FOUND where nobody here is in the room. */
export interface RoomHealth {
  /** Changes nothing. Throws what the other server answers. */
  compare(roomId: string, server: string): Promise<RoomComparison>
  /**
   * Asks the servers of the room for the events and the state that are missing here. All of it is judged as if it had come by
   * itself; where states differ they are resolved, and no server's word counts more than the rules.
   */
  heal(roomId: string): Promise<RoomHealing>
  /**
   * The same in the background. Of a room that is here by the word of `via`, two others are asked; empty: that is not all there is
   * to know, and everybody is asked. `done`: the whole of what one of them has was
   * compared, or this server has the room for itself. `alone`: it knows of nobody but `via`, which may have kept all others back.
   * Rejects when it is aborted.
   */
  repair(roomId: string, via: string, signal: AbortSignal): Promise<'done' | 'again' | 'alone'>
}
