import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Pushers } from '../../../services/pushers/pushers.js'
import { startTestServer } from '../../testing.js'
import { getUnsubscribe, postUnsubscribe } from './unsubscribe.js'

let server: Awaited<ReturnType<typeof startTestServer>>
let ended: string[]
beforeEach(async () => {
  ended = []
  const pushers: Partial<Pushers> = {
    unsubscribe: (token) => Promise.resolve(token === 'known' && ended.push(token) > 0),
    unsubscribeTarget: (token) =>
      Promise.resolve(token === 'known' ? { address: 'anne@home.example' } : undefined),
  }
  server = await startTestServer([getUnsubscribe, postUnsubscribe], { pushers: pushers as Pushers }, {})
})
afterEach(() => server.close())

const post = (query: string, body: string): Promise<Response> =>
  fetch(`${server.url}/_chancery/email/unsubscribe${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  })

describe('the end of mail about unread messages', () => {
  it('comes by the button of the page, whose form has the token', async () => {
    expect((await fetch(`${server.url}/_chancery/email/unsubscribe?token=known`)).status).toBe(200)
    expect(ended).toEqual([])
    expect((await post('', 'token=known')).status).toBe(200)
    expect(ended).toEqual(['known'])
  })

  it('comes by the button of a mail program, which has the link alone', async () => {
    expect((await post('?token=known', 'List-Unsubscribe=One-Click')).status).toBe(200)
    expect(ended).toEqual(['known'])
  })

  it.each([
    ['?token=known', ''],
    ['?token=other', 'List-Unsubscribe=One-Click'],
    ['', 'List-Unsubscribe=One-Click'],
    ['?token=known', 'token=other&List-Unsubscribe=One-Click'],
  ])('does not come by %j with %j', async (query, body) => {
    expect((await post(query, body)).status).toBe(400)
    expect(ended).toEqual([])
  })
})
