import { describe, expect, it } from '@jest/globals'
import { startSync, v3 } from '../harness/client.js'
import type { Pair } from './pair.js'
import { hostedRoom, inRoom, join, rolesOf, SIDES, tells } from './room.js'

const enc = encodeURIComponent
const WAIT_MS = 20_000

interface Ephemeral {
  readonly type: string
  readonly sender?: string
  readonly content: Readonly<Record<string, unknown>>
}

export function ephemeralScenarios(pair: () => Pair): void {
  describe.each(SIDES)('who is on %s', (hostName) => {
    it('reads in private: their other devices know it, and nobody on the other side', async () => {
      const roles = rolesOf(pair(), hostName)
      const [actor, viewer] = [await roles.host.user('reader'), await roles.guest.user('viewer')]
      const roomId = await hostedRoom(roles, '11')
      await join(actor, roomId, roles.host)
      await join(viewer, roomId, roles.host)
      const first = await tells(viewer, actor, roomId, 'read me in private')
      const second = await tells(viewer, actor, roomId, 'read me in public')
      const [own, theirs] = [await startSync(actor), await startSync(viewer)]
      const receipts = (answer: Awaited<ReturnType<typeof own.next>>): Ephemeral[] =>
        ((answer.rooms?.join?.[roomId]?.ephemeral?.events ?? []) as Ephemeral[]).filter(
          ({ type }) => type === 'm.receipt',
        )
      await actor.ok('POST', inRoom(roomId, `receipt/m.read.private/${enc(first)}`))
      await own.until(
        'their own private receipt',
        (answer) => receipts(answer).some(({ content }) => JSON.stringify(content[first] ?? '').includes(actor.userId)), // prettier-ignore
        WAIT_MS,
      )
      // Receipts travel in their order: what was not there when this one came does not come.
      await actor.ok('POST', inRoom(roomId, `receipt/m.read/${enc(second)}`))
      const seen: Ephemeral[] = []
      await theirs.until(
        'the public receipt',
        (answer) => {
          seen.push(...receipts(answer))
          return seen.some(({ content }) => JSON.stringify(content[second] ?? '').includes(actor.userId))
        },
        WAIT_MS,
      )
      for (const { content } of seen) {
        expect(JSON.stringify(content)).not.toContain('m.read.private')
        expect(JSON.stringify(content[first] ?? '')).not.toContain(actor.userId)
      }
      const again = receipts((await startSync(viewer)).first)
      expect(JSON.stringify(again)).not.toContain('m.read.private')
    })

    it('is seen typing, reading, in threads too, and being there by the other side', async () => {
      const roles = rolesOf(pair(), hostName)
      const [actor, viewer] = [await roles.host.user('actor'), await roles.guest.user('viewer')]
      const roomId = await hostedRoom(roles, '11')
      await join(actor, roomId, roles.host)
      await join(viewer, roomId, roles.host)
      const said = await tells(viewer, actor, roomId, 'read me')
      await tells(actor, viewer, roomId, 'I am here')
      const sync = await startSync(viewer)
      const inTheRoom = (what: string, found: (event: Ephemeral) => boolean): Promise<Ephemeral> =>
        sync.until(
          what,
          (answer) => ((answer.rooms?.join?.[roomId]?.ephemeral?.events ?? []) as Ephemeral[]).find(found),
          WAIT_MS,
        )
      const typing = (is: boolean): Promise<unknown> =>
        actor.ok('PUT', inRoom(roomId, `typing/${enc(actor.userId)}`), { typing: is, timeout: 20_000 })
      const isTyping = (users: readonly string[]) => (event: Ephemeral) =>
        event.type === 'm.typing' && JSON.stringify(event.content['user_ids']) === JSON.stringify(users)
      await typing(true)
      await inTheRoom('typing', isTyping([actor.userId]))
      await typing(false)
      await inTheRoom('the end of typing', isTyping([]))

      const receipt = (threadId?: string) => (event: Ephemeral) => {
        const readers = (event.content[said] as Record<string, Record<string, { thread_id?: string }>> | undefined)?.['m.read']
        const own = readers?.[actor.userId]
        return event.type === 'm.receipt' && own !== undefined && own.thread_id === threadId
      } // prettier-ignore
      await actor.ok('POST', inRoom(roomId, `receipt/m.read/${enc(said)}`))
      await inTheRoom('the receipt', receipt())
      await actor.ok('POST', inRoom(roomId, `receipt/m.read/${enc(said)}`), { thread_id: 'main' })
      await inTheRoom('the receipt of the main timeline', receipt('main'))

      await actor.ok('PUT', v3(`/presence/${enc(actor.userId)}/status`), {
        presence: 'online',
        status_msg: 'at the desk',
      })
      const presence = await sync.until(
        'presence',
        (answer) =>
          ((answer.presence?.events ?? []) as Ephemeral[]).find(
            (event) => event.sender === actor.userId && event.content['status_msg'] !== undefined,
          ),
        WAIT_MS,
      )
      expect(presence.content).toMatchObject({ presence: 'online', status_msg: 'at the desk' })
    })
  })
}
