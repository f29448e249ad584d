import { inspect } from 'node:util'
import { v3, type User } from '../harness/client.js'

/** What a sender was promised: this event of this room is kept. */
export interface Promise200 {
  readonly roomId: string
  readonly eventId: string
  readonly body: string
}

export interface Sender {
  readonly answered: readonly Promise200[]
  /** Ends once the request under way has been answered or has failed. */
  stop(): Promise<void>
}

/**
 * Sends messages to a room, one after the other, until stopped. A message without an answer is sent again under the same
 * transaction id, as clients do, so that it must be there exactly once in the end.
 */
export function startSender(user: User, roomId: string, name: string, pauseMs = 0): Sender {
  const answered: Promise200[] = []
  let stopped = false
  let problem: unknown

  async function run(): Promise<void> {
    for (let count = 0; !stopped;) {
      const body = `${name} ${count}`
      const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${encodeURIComponent(body)}`
      try {
        const answer = await user.call('PUT', v3(path), { body: { msgtype: 'm.text', body } })
        if (answer.status !== 200) throw new Error(`${answer.status} ${inspect(answer.body)}`)
        answered.push({ roomId, eventId: answer.body.event_id, body })
        count++
        if (pauseMs > 0) await pause(pauseMs)
      } catch (error) {
        // A node that is down refuses connections; one that is up must not refuse messages. (fetch has a TypeError of its own.)
        if ((error as Error).name !== 'TypeError') problem ??= error
        await pause(20)
      }
    }
  }

  const running = run()
  return {
    answered,
    async stop() {
      stopped = true
      await running
      if (problem !== undefined) throw problem
    },
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export interface RoomMessage {
  readonly eventId: string
  readonly body: string
}

/** All text messages of a room, newest first, by paging through its history. */
export async function allMessages(user: User, roomId: string): Promise<RoomMessage[]> {
  const found: RoomMessage[] = []
  let from: string | undefined
  for (;;) {
    const page = await user.ok('GET', v3(`/rooms/${encodeURIComponent(roomId)}/messages`), undefined, {
      dir: 'b',
      limit: 500,
      from,
    })
    for (const event of page.chunk) {
      if (event.type === 'm.room.message') found.push({ eventId: event.event_id, body: event.content.body })
    }
    if (page.end === undefined || page.chunk.length === 0) return found
    from = page.end
  }
}
