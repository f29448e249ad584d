import { expect } from '@jest/globals'
import { call, eventually, type User } from '../harness/client.js'
import { createRoom, refusal, section, sendText, sharedRoom, v3 } from '../harness/section.js'

let counter = 0
/** A word that nobody has said before. */
const newWord = (): string => `word${Date.now().toString(36)}x${counter++}`

interface Found {
  readonly count: number
  readonly highlights: string[]
  readonly next_batch?: string
  readonly results: { result: { event_id: string }; rank: number }[]
}

section('Server side search', 'client-server-api/#server-side-search', (operation) => {
  operation('search', 'POST /_matrix/client/v3/search', ({ success, error, authorisation }) => {
    async function search(user: User, term: string, more: object = {}, from?: string): Promise<Found> {
      const body = { search_categories: { room_events: { search_term: term, ...more } } }
      const answer = await user.ok('POST', v3('/search'), body, { next_batch: from })
      return answer.search_categories.room_events as Found
    }
    const ids = ({ results }: Found): string[] => results.map(({ result }) => result.event_id)

    success('finds what was said in a room, the latest first where asked for', async (server) => {
      const alice = await server.user('alice')
      const word = newWord()
      const roomId = await createRoom(alice)
      const first = await sendText(alice, roomId, `one ${word}`)
      const second = await sendText(alice, roomId, `${word.toUpperCase()} two`)
      await sendText(alice, roomId, 'something else')
      const found = await eventually('both messages', async () => {
        const answer = await search(alice, word, { order_by: 'recent', keys: ['content.body'] })
        return answer.results.length === 2 && answer
      })
      expect(ids(found)).toEqual([second, first])
      expect(found.results.map(({ rank }) => rank)).toEqual([expect.any(Number), expect.any(Number)])
      expect(found.count).toBe(2)
      expect(found.highlights.map((one) => one.toLowerCase())).toContain(word)
      const page = { order_by: 'recent', filter: { limit: 1 } }
      const newest = await search(alice, word, page)
      expect([ids(newest), typeof newest.next_batch]).toEqual([[second], 'string'])
      expect(ids(await search(alice, word, page, newest.next_batch))).toEqual([first])
      const filter = { senders: ['@nobody:example.org'] }
      expect((await search(alice, word, { filter })).results).toEqual([])
    })
    authorisation('shows nothing of rooms that one is not in, nor how much there is', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const word = newWord()
      const hidden = await createRoom(alice)
      await sendText(alice, hidden, word)
      const roomId = await sharedRoom(alice, [bob])
      const seen = await sendText(alice, roomId, word)
      const found = await eventually('the message', async () => {
        const answer = await search(bob, word)
        return answer.results.length > 0 && answer
      })
      expect([ids(found), found.count]).toEqual([[seen], 1])
      await refusal(call(server.url, 'POST', v3('/search'), { body: { search_categories: {} } }), 401, 'M_MISSING_TOKEN') // prettier-ignore
    })
    error('wants a term and known keys', async (server) => {
      const alice = await server.user('alice')
      const body = { search_categories: { room_events: {} } }
      await refusal(alice.call('POST', v3('/search'), { body }), 400, 'M_BAD_JSON', 'M_MISSING_PARAM')
    })
  })
})
