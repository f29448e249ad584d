import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { createAccountData, type AccountData } from './account-data.js'

let store: Store
let data: AccountData
beforeAll(async () => {
  store = await openTestStore()
  data = createAccountData({ store, notifier: { notify: () => undefined } })
})
afterAll(() => store.close())

describe('account data', () => {
  it('is bounded as a whole, tags of rooms with all else', async () => {
    const user = '@a:b'
    const large = { text: 'x'.repeat(250 * 1024) }
    const refused = { errcode: 'M_RESOURCE_LIMIT_EXCEEDED' }
    for (let i = 0; i < 65; i++) await data.setTag(user, `!r${i}:b`, 'u.tag', large)
    await expect(data.setTag(user, '!r65:b', 'u.tag', large)).rejects.toMatchObject(refused)
    await expect(data.set(user, '', 'some.type', large)).rejects.toMatchObject(refused)
    await data.deleteTag(user, '!r0:b', 'u.tag')
    await data.set(user, '', 'some.type', large)
  })

  it('is not written where a tag is deleted that was never set', async () => {
    await data.deleteTag('@c:b', '!r:b', 'u.tag')
    await expect(data.get('@c:b', '!r:b', 'm.tag')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })
})
