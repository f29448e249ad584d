import { expect } from '@jest/globals'
import { startSync, type User } from '../harness/client.js'
import { enc, refusal, section, sharedRoom, v3 } from '../harness/section.js'

const status = (user: User): string => v3(`/presence/${enc(user.userId)}/status`)
interface PresenceEvent {
  readonly sender: string
  readonly content: { readonly presence: string }
}

const NEEDS = { needs: 'presence' } as const

section(
  'Presence',
  'client-server-api/#presence',
  (operation) => {
    operation('setPresence', 'PUT /_matrix/client/v3/presence/{userId}/status', (cases) => {
      cases.success(
        'is seen by those who share a room, in /sync too',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await sharedRoom(alice, [bob])
          const following = await startSync(bob, { set_presence: 'offline' })
          const said = { presence: 'unavailable', status_msg: 'Lunch' }
          expect(await alice.ok('PUT', status(alice), said)).toEqual({})
          const event = await following.until('presence', (answer) =>
            (answer.presence?.events as PresenceEvent[] | undefined)?.find(
              ({ sender, content }) => sender === alice.userId && content.presence === 'unavailable',
            ),
          )
          expect(event).toMatchObject({ type: 'm.presence', content: said })
          expect(await bob.ok('GET', status(alice))).toMatchObject(said)
        },
        NEEDS,
      )
      cases.error('knows three states', async (server) => {
        const alice = await server.user('alice')
        const bad = alice.call('PUT', status(alice), { body: { presence: 'asleep' } })
        await refusal(bad, 400, 'M_BAD_JSON', 'M_INVALID_PARAM', 'M_UNKNOWN')
      })
      cases.authorisation('is one’s own', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const other = alice.call('PUT', status(bob), { body: { presence: 'online' } })
        await refusal(other, 403, 'M_FORBIDDEN')
      })
    })
    operation('getPresence', 'GET /_matrix/client/v3/presence/{userId}/status', (cases) => {
      cases.success(
        'tells whether somebody is there',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await sharedRoom(alice, [bob])
          await alice.ok('GET', v3('/sync'), undefined, { set_presence: 'online' })
          expect(await bob.ok('GET', status(alice))).toMatchObject({
            presence: 'online',
            currently_active: true,
            last_active_ago: expect.any(Number),
          })
          await alice.ok('PUT', status(alice), { presence: 'offline' })
          await alice.ok('GET', v3('/sync'), undefined, { set_presence: 'offline' })
          expect(await bob.ok('GET', status(alice))).toMatchObject({ presence: 'offline' })
        },
        NEEDS,
      )
      cases.authorisation('tells nothing to strangers', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('GET', status(alice)), 403, 'M_FORBIDDEN')
      })
    })
  },
  { config: { presence: { enabled: true } } },
)
