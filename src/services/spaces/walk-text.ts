import type { PeerRoom } from './peer-answer.js'

/** A room of a space that is to be looked at. */
export interface Waiting {
  readonly roomId: string
  readonly via: readonly string[]
  readonly depth: number
  /** What the server that knows the space says about the room; `hidden`: that we have no way into it. */
  readonly told: Pick<PeerRoom, 'entry' | 'facts'> | 'hidden' | undefined
}

/** Where somebody is who pages through a space. */
export interface Walk {
  readonly roomId: string
  readonly suggestedOnly: boolean
  readonly maxDepth: number
  /** A stack: the next room is the last. */
  readonly waiting: readonly Waiting[]
  readonly seen: ReadonlySet<string>
  readonly lookedFor: number
}

/** Characters that the rooms to come may have together. Those farthest off are left out beyond it: a page is late enough there. */
const MAX_WAITING_TEXT = 1024 * 1024
/** Characters of them after which what other servers say is left out: they are asked again. */
const MAX_TOLD_TEXT = 512 * 1024
/** Servers to ask for each room. */
const MAX_VIA = 5

type Packed = readonly [roomId: string, via: readonly string[], depth: number, told: Waiting['told'] | null]

interface Text {
  readonly roomId: string
  readonly suggestedOnly: boolean
  readonly maxDepth: number
  readonly lookedFor: number
  readonly seen: readonly string[]
  /** The next room first. */
  readonly waiting: readonly Packed[]
}

/** What is kept of it until the next page is asked for: at most about a megabyte. */
export function walkText({ waiting, seen, ...walk }: Walk): string {
  const packed: Packed[] = []
  let size = 0
  for (const { roomId, via, depth, told } of waiting.toReversed()) {
    if (seen.has(roomId)) continue
    const isShort = size < MAX_TOLD_TEXT || told === 'hidden'
    const kept = typeof told === 'object' ? { entry: told.entry, facts: told.facts } : told
    const one: Packed = [roomId, via.slice(0, MAX_VIA), depth, (isShort ? kept : undefined) ?? null]
    size += JSON.stringify(one).length
    if (size > MAX_WAITING_TEXT) break
    packed.push(one)
  }
  return JSON.stringify({ ...walk, seen: [...seen], waiting: packed } satisfies Text)
}

/** Reads what `walkText` has written. */
export function readWalk(text: string): Walk {
  const { waiting, seen, ...walk } = JSON.parse(text) as Text
  return {
    ...walk,
    seen: new Set(seen),
    waiting: waiting
      .map(([roomId, via, depth, told]): Waiting => ({ roomId, via, depth, told: told ?? undefined }))
      .toReversed(),
  }
}
