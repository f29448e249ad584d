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
