import { beforeEach, describe, expect, it } from '@jest/globals'
import type { Act } from '../../core/audit/acts.js'
import type { AuditTrail } from '../audit/trail.js'
import { accountsFixture, errorOf, PASSWORD, type AccountsFixture } from './testing.js'

/** Keeps what was committed. */
function heard(): AuditTrail & { readonly acts: Act[] } {
  const acts: Act[] = []
  return {
    acts,
    // oxlint-disable-next-line require-yield
    *record(act) {
      acts.push(act)
    },
    note: (act) => {
      acts.push(act)
      return Promise.resolve()
    },
    count: (act, source) => acts.push({ ...act, details: { ...act.details, source } }),
  }
}

const ALICE = '@alice:finances.example'
const ADMIN = '@admin:finances.example'
let audit: ReturnType<typeof heard>
let fixture: AccountsFixture

beforeEach(async () => {
  audit = heard()
  fixture = await accountsFixture({ tokens: { refreshableMs: 60_000 } }, { audit })
})

const names = (): string[] => audit.acts.map((act) => act.act)

describe('the audit log of accounts', () => {
  it('tells of an account, its sessions and their ends', async () => {
    const { device_id: device } = await fixture.user('alice')
    await fixture.accounts.sessions.logout(ALICE, device)
    expect(names()).toEqual(['account.registered', 'session.opened', 'session.ended'])
    expect(audit.acts[1]).toMatchObject({
      by: { kind: 'user', id: ALICE, device },
      details: { how: 'm.login.password', ip: '192.0.2.1' },
    })
    expect(audit.acts[2]).toMatchObject({ by: { id: ALICE }, on: ALICE, details: { devices: device } })
  })

  it('counts wrong passwords by account and address, and keeps no name that is nobody’s', async () => {
    await fixture.user('alice')
    audit.acts.length = 0
    await errorOf(fixture.login('alice', { password: 'wrong horse' }))
    await errorOf(fixture.login('my-secret-password', { password: 'x' }))
    expect(audit.acts).toEqual([
      {
        act: 'session.refused',
        by: { kind: 'server' },
        on: ALICE,
        outcome: 'M_FORBIDDEN',
        details: { source: '192.0.2.1' },
      },
      {
        act: 'session.refused',
        by: { kind: 'server' },
        outcome: 'M_FORBIDDEN',
        details: { source: '192.0.2.1' },
      },
    ])
    expect(JSON.stringify(audit.acts)).not.toContain('secret')
  })

  it('tells of a locked account that tries to sign in', async () => {
    await fixture.user('alice')
    await fixture.accounts.moderation.set(ADMIN, ALICE, 'locked', true)
    await errorOf(fixture.login('alice'))
    expect(audit.acts.slice(-2)).toMatchObject([
      { act: 'account.locked', by: { kind: 'admin', id: ADMIN }, on: ALICE },
      { act: 'session.refused', on: ALICE, outcome: 'M_USER_LOCKED' },
    ])
  })

  it('says who set a password and who closed an account, and never the password', async () => {
    await fixture.user('alice')
    const by = { kind: 'admin', id: ADMIN } as const
    const { credentials } = fixture.accounts
    const password = 'a quite different horse'
    await credentials.changePassword(ALICE, password, { keepDeviceId: undefined, logoutDevices: true, by })
    await credentials.deactivate(ALICE, false)
    expect(audit.acts.slice(2)).toMatchObject([
      { act: 'session.ended', by, on: ALICE },
      { act: 'account.password_changed', by, on: ALICE },
      { act: 'account.deactivated', by: { kind: 'user', id: ALICE }, on: ALICE },
    ])
    expect(JSON.stringify(audit.acts)).not.toContain('horse')
    expect(JSON.stringify(audit.acts)).not.toContain(PASSWORD)
  })

  it('tells of a refresh token of which there is a copy', async () => {
    await fixture.user('alice')
    const { refresh_token: first } = await fixture.login('alice', { canRefresh: true })
    const { refresh_token: second } = await fixture.accounts.sessions.refresh(first!)
    await fixture.accounts.sessions.refresh(second!)
    await errorOf(fixture.accounts.sessions.refresh(first!))
    expect(audit.acts.at(-1)).toMatchObject({ act: 'session.refused', on: ALICE, outcome: 'M_UNKNOWN_TOKEN' })
  })
})
