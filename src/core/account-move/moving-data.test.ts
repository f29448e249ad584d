import { describe, expect, it } from '@jest/globals'
import { backupKeyIds, travels } from './moving-data.js'

const secret = { encrypted: { abc: { iv: 'x', ciphertext: 'y', mac: 'z' } } }

describe('account data of somebody who changes ministry', () => {
  it.each([
    ['m.direct', { '@a:b': ['!x'] }],
    ['m.tag', { tags: {} }],
    ['im.vector.setting.breadcrumbs', {}],
    ['m.ignored_user_list', { ignored_users: {} }],
    ['__proto__', {}],
  ])('goes along: %s', (type, content) => {
    expect(travels(type, content, [])).toBe(true)
  })

  it.each([
    ['m.cross_signing.master', secret],
    ['m.cross_signing.self_signing', {}],
    ['m.push_rules', {}],
    ['m.dehydrated_device', {}],
    ['org.matrix.msc3814.v1', {}],
    ['m.local_notification_settings.DEVICE', {}],
    ['org.matrix.msc3890.local_notification_settings.DEVICE', {}],
    ['m.secret_storage.other', {}],
    ['com.example.secret', secret],
  ])('stays where it names devices or secrets of the old account: %s', (type, content) => {
    expect(travels(type, content, ['abc'])).toBe(false)
  })

  it('has the key of the backup in it, and of the secret storage what that needs', () => {
    const keys = backupKeyIds(secret)
    expect(keys).toEqual(['abc'])
    expect(travels('m.megolm_backup.v1', secret, keys)).toBe(true)
    expect(travels('m.secret_storage.default_key', { key: 'abc' }, keys)).toBe(true)
    expect(travels('m.secret_storage.default_key', { key: 'other' }, keys)).toBe(false)
    expect(travels('m.secret_storage.key.abc', {}, keys)).toBe(true)
    expect(travels('m.secret_storage.key.other', {}, keys)).toBe(false)
  })

  it('has nothing of the secret storage in it where no backup goes along', () => {
    expect(backupKeyIds(undefined)).toEqual([])
    expect(backupKeyIds({ encrypted: 'x' })).toEqual([])
    for (const [type, content] of [
      ['m.megolm_backup.v1', secret],
      ['m.secret_storage.default_key', { key: 'abc' }],
      ['m.secret_storage.key.abc', {}],
    ] as const)
      expect(travels(type, content, [])).toBe(false)
  })
})
