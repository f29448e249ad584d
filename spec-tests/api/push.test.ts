import { expect } from '@jest/globals'
import type { Answer, User } from '../harness/client.js'
import { enc, refusal, section, v3 } from '../harness/section.js'

const rule = (kind: string, id: string, rest = ''): string =>
  v3(`/pushrules/global/${kind}/${enc(id)}${rest}`)
const NOTIFY = { actions: ['notify'] }
const MINE = { rule_id: 'mine', default: false, enabled: true, actions: ['notify'], pattern: 'tea' }
const withRule = (user: User): Promise<unknown> =>
  user.ok('PUT', rule('content', 'mine'), { ...NOTIFY, pattern: 'tea' })

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
  operation('getPushers', 'GET /_matrix/client/v3/pushers', ({ success }) => {
    success('lists none for a new account', async (server) => {
      expect(await (await server.user()).ok('GET', v3('/pushers'))).toEqual({ pushers: [] })
    })
  })
})
