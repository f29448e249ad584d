import { expect } from '@jest/globals'
import type { Answer, User } from '../harness/client.js'
import { createRoom, enc, refusal, section, sendText, v3 } from '../harness/section.js'

const rule = (kind: string, id: string, rest = ''): string =>
  v3(`/pushrules/global/${kind}/${enc(id)}${rest}`)
const NOTIFY = { actions: ['notify'] }
const MINE = { rule_id: 'mine', default: false, enabled: true, actions: ['notify'], pattern: 'tea' }
const withRule = (user: User): Promise<unknown> =>
  user.ok('PUT', rule('content', 'mine'), { ...NOTIFY, pattern: 'tea' })

const pusher = (user: User) => ({
  kind: 'http',
  app_id: 'org.example.app',
  pushkey: `key of ${user.userId}`,
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  data: { url: 'https://gateway.example/_matrix/push/v1/notify', format: 'event_id_only' },
})

section('Push notifications', 'client-server-api/#push-notifications', (operation) => {
  operation('getPushRules', 'GET /_matrix/client/v3/pushrules/', ({ success }) => {
    success('gives all rules, those of the server and one’s own', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      await withRule(alice)
      const { global } = await alice.ok('GET', v3('/pushrules/'))
      expect(Object.keys(global)).toEqual(
        expect.arrayContaining(['content', 'override', 'room', 'sender', 'underride']),
      )
      expect(global.override[0]).toMatchObject({ rule_id: '.m.rule.master', default: true, enabled: false })
      expect(global.content).toContainEqual(MINE)
      expect(global.underride.map((one: { rule_id: string }) => one.rule_id)).toEqual(
        expect.arrayContaining(['.m.rule.message', '.m.rule.room_one_to_one']),
      )
      expect((await bob.ok('GET', v3('/pushrules/'))).global.content).not.toContainEqual(MINE)
      for (const kind of ['content', 'override', 'room', 'sender', 'underride'])
        for (const one of global[kind]) expect(one).toEqual(await alice.ok('GET', rule(kind, one.rule_id)))
    })
  })
  operation('getPushRulesGlobal', 'GET /_matrix/client/v3/pushrules/global/', ({ success }) => {
    success('gives the same without the outermost name', async (server) => {
      const alice = await server.user('alice')
      await withRule(alice)
      const global = await alice.ok('GET', v3('/pushrules/global/'))
      expect(global.content).toContainEqual(MINE)
      expect({ global }).toEqual(await alice.ok('GET', v3('/pushrules/')))
    })
  })
  operation(
    'getPushRule',
    'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
    ({ success, error }) => {
      success('gives one rule', async (server) => {
        const alice = await server.user('alice')
        await withRule(alice)
        expect(await alice.ok('GET', rule('content', 'mine'))).toEqual(MINE)
      })
      error('knows no unknown rule, and none of others', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await withRule(alice)
        await refusal(bob.call('GET', rule('content', 'mine')), 404, 'M_NOT_FOUND')
        await refusal(bob.call('GET', rule('override', 'none')), 404, 'M_NOT_FOUND')
      })
    },
  )
  operation(
    'setPushRule',
    'PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
    ({ success, error }) => {
      success('makes a rule, before another where asked', async (server) => {
        const alice = await server.user('alice')
        await alice.ok('PUT', rule('underride', 'one'), NOTIFY)
        await alice.ok('PUT', rule('underride', 'two'), NOTIFY, { after: 'one' })
        const ids = (await alice.ok('GET', v3('/pushrules/global/'))).underride.map(
          (one: { rule_id: string }) => one.rule_id,
        )
        expect(ids.slice(0, 2)).toEqual(['one', 'two'])
      })
      error('refuses what is no rule', async (server) => {
        const alice = await server.user('alice')
        const put = (path: string, body: object): Promise<Answer> => alice.call('PUT', path, { body })
        await refusal(put(rule('override', 'x'), {}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
        await refusal(put(rule('none', 'x'), NOTIFY), 400, 'M_INVALID_PARAM', 'M_UNRECOGNIZED')
        await refusal(put(rule('override', '.mine'), NOTIFY), 400, 'M_INVALID_PARAM')
      })
    },
  )
  operation(
    'deletePushRule',
    'DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
    ({ success, error }) => {
      success('removes a rule', async (server) => {
        const alice = await server.user('alice')
        await withRule(alice)
        await alice.ok('DELETE', rule('content', 'mine'))
        await refusal(alice.call('GET', rule('content', 'mine')), 404, 'M_NOT_FOUND')
      })
      error('knows no unknown rule', async (server) => {
        await refusal((await server.user()).call('DELETE', rule('content', 'none')), 404, 'M_NOT_FOUND')
      })
    },
  )
  operation(
    'isPushRuleEnabled',
    'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
    ({ success, error }) => {
      success('says whether a rule is on', async (server) => {
        const alice = await server.user('alice')
        expect(await alice.ok('GET', rule('override', '.m.rule.master', '/enabled'))).toEqual({
          enabled: false,
        })
        expect(await alice.ok('GET', rule('underride', '.m.rule.message', '/enabled'))).toEqual({
          enabled: true,
        })
      })
      error('knows no unknown rule', async (server) => {
        await refusal(
          (await server.user()).call('GET', rule('content', 'none', '/enabled')),
          404,
          'M_NOT_FOUND',
        )
      })
    },
  )
  operation(
    'setPushRuleEnabled',
    'PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
    ({ success, error }) => {
      success('switches a rule', async (server) => {
        const alice = await server.user('alice')
        await alice.ok('PUT', rule('underride', '.m.rule.message', '/enabled'), { enabled: false })
        expect((await alice.ok('GET', rule('underride', '.m.rule.message'))).enabled).toBe(false)
      })
      error('knows no unknown rule, and wants a boolean', async (server) => {
        const alice = await server.user('alice')
        const put = (id: string, body: object): Promise<Answer> =>
          alice.call('PUT', rule('underride', id, '/enabled'), { body })
        await refusal(put('none', { enabled: true }), 404, 'M_NOT_FOUND')
        await refusal(put('.m.rule.message', {}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
      })
    },
  )
  operation(
    'getPushRuleActions',
    'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
    ({ success, error }) => {
      success('gives the actions', async (server) => {
        const alice = await server.user('alice')
        await withRule(alice)
        expect(await alice.ok('GET', rule('content', 'mine', '/actions'))).toEqual({ actions: ['notify'] })
      })
      error('knows no unknown rule', async (server) => {
        await refusal(
          (await server.user()).call('GET', rule('content', 'none', '/actions')),
          404,
          'M_NOT_FOUND',
        )
      })
    },
  )
  operation(
    'setPushRuleActions',
    'PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
    ({ success, error }) => {
      success('changes the actions', async (server) => {
        const alice = await server.user('alice')
        const actions = ['notify', { set_tweak: 'highlight' }]
        await alice.ok('PUT', rule('underride', '.m.rule.message', '/actions'), { actions })
        expect((await alice.ok('GET', rule('underride', '.m.rule.message'))).actions).toEqual(actions)
      })
      error('refuses what are no actions', async (server) => {
        const alice = await server.user('alice')
        const put = (id: string, body: object): Promise<Answer> =>
          alice.call('PUT', rule('underride', id, '/actions'), { body })
        await refusal(put('none', { actions: [] }), 404, 'M_NOT_FOUND')
        await refusal(put('.m.rule.message', { actions: 'x' }), 400, 'M_BAD_JSON', 'M_INVALID_PARAM')
      })
    },
  )
  operation('postPusher', 'POST /_matrix/client/v3/pushers/set', ({ success, error }) => {
    success('sets a pusher, replaces it and removes it', async (server) => {
      const alice = await server.user('alice')
      const { device_display_name: name, ...rest } = pusher(alice)
      await alice.ok('POST', v3('/pushers/set'), { ...rest, device_display_name: name })
      await alice.ok('POST', v3('/pushers/set'), { ...rest, device_display_name: 'Another' })
      expect((await alice.ok('GET', v3('/pushers'))).pushers).toMatchObject([
        { ...rest, device_display_name: 'Another' },
      ])
      const { app_id, pushkey } = rest
      await alice.ok('POST', v3('/pushers/set'), { app_id, pushkey, kind: null })
      expect(await alice.ok('GET', v3('/pushers'))).toEqual({ pushers: [] })
    })
    success('takes it from others with the same key, unless it is one more', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const wish = pusher(alice)
      await alice.ok('POST', v3('/pushers/set'), wish)
      await bob.ok('POST', v3('/pushers/set'), { ...wish, append: true })
      expect((await alice.ok('GET', v3('/pushers'))).pushers).toHaveLength(1)
      await bob.ok('POST', v3('/pushers/set'), { ...wish, append: false })
      expect((await alice.ok('GET', v3('/pushers'))).pushers).toEqual([])
      expect((await bob.ok('GET', v3('/pushers'))).pushers).toHaveLength(1)
    })
    error('wants all that a pusher consists of', async (server) => {
      const alice = await server.user('alice')
      const set = (body: object): Promise<Answer> => alice.call('POST', v3('/pushers/set'), { body })
      await refusal(set({ kind: 'http', pushkey: 'x' }), 400, 'M_MISSING_PARAM')
      await refusal(set({ kind: 'http', pushkey: 'x', app_id: 'x' }), 400, 'M_MISSING_PARAM')
      await refusal(set({ ...pusher(alice), data: {} }), 400, 'M_MISSING_PARAM', 'M_INVALID_PARAM')
    })
    error('refuses gateways that the specification rules out', async (server) => {
      const alice = await server.user('alice')
      for (const url of ['http://gateway.example/_matrix/push/v1/notify', 'https://gateway.example/other'])
        await refusal(
          alice.call('POST', v3('/pushers/set'), { body: { ...pusher(alice), data: { url } } }),
          400,
          'M_INVALID_PARAM',
          'M_MISSING_PARAM',
        )
    })
  })
  operation('getPushers', 'GET /_matrix/client/v3/pushers', ({ success }) => {
    success('lists one’s own, and none for a new account', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      expect(await alice.ok('GET', v3('/pushers'))).toEqual({ pushers: [] })
      await bob.ok('POST', v3('/pushers/set'), pusher(bob))
      expect(await alice.ok('GET', v3('/pushers'))).toEqual({ pushers: [] })
      expect((await bob.ok('GET', v3('/pushers'))).pushers).toMatchObject([pusher(bob)])
    })
  })
  operation('getNotifications', 'GET /_matrix/client/v3/notifications', ({ success, error }) => {
    success('lists what notified a user, newest first, in pages', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await createRoom(alice, { invite: [bob.userId] })
      await bob.ok('POST', v3(`/rooms/${enc(roomId)}/join`), {})
      const one = await sendText(alice, roomId, 'one')
      const two = await sendText(alice, roomId, 'two')
      const ids = (answer: { notifications: { event: { event_id: string } }[] }): string[] =>
        answer.notifications.map((item) => item.event.event_id).filter((id) => [one, two].includes(id))
      const first = await bob.call('GET', v3('/notifications'), { query: { limit: 1 } })
      expect(first.body.notifications).toMatchObject([
        { room_id: roomId, read: false, event: { event_id: two, sender: alice.userId } },
      ])
      expect(first.body.notifications[0].actions).toEqual(
        expect.arrayContaining(['notify', { set_tweak: 'sound', value: 'default' }]),
      )
      const next = await bob.call('GET', v3('/notifications'), { query: { from: first.body.next_token } })
      expect(ids(next.body)).toEqual([one])
    })
    success('lists highlights alone where asked, and says what was read', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await createRoom(alice, { invite: [bob.userId] })
      await bob.ok('POST', v3(`/rooms/${enc(roomId)}/join`), {})
      await sendText(alice, roomId, 'quiet')
      const { event_id: loud } = await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/loud`), {
        msgtype: 'm.text',
        body: 'you',
        'm.mentions': { user_ids: [bob.userId] },
      })
      await bob.ok('POST', v3(`/rooms/${enc(roomId)}/receipt/m.read/${enc(loud)}`), {})
      const { body } = await bob.call('GET', v3('/notifications'), { query: { only: 'highlight' } })
      expect(body.notifications).toMatchObject([{ read: true, event: { event_id: loud } }])
    })
    error('refuses a token that is none', async (server) => {
      const alice = await server.user('alice')
      await refusal(alice.call('GET', v3('/notifications'), { query: { from: 'x' } }), 400, 'M_INVALID_PARAM')
    })
  })
})
