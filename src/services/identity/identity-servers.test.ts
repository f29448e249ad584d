import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../platform/logger.js'
import { FederationError } from '../federation/federation-error.js'
import { canonicalAddress } from './address.js'
import { createIdentityServers, type IdentityServers } from './identity-servers.js'

const ACCESS = { idServer: 'id.example', accessToken: 'token' }
const EMAIL = { medium: 'email', address: 'zoe@home.example' } as const

/** Identity servers that answer with these, in turn. */
function answering(...answers: readonly ([status: number, body: unknown] | Error)[]): IdentityServers {
  const left = [...answers]
  return createIdentityServers({
    logger: silentLogger,
    signRequest: () => 'X-Matrix',
    trusted: ['ID.example'],
    http: {
      request({ url }) {
        const next = left.shift()
        if (next === undefined) throw new Error('nothing more is expected')
        if (next instanceof Error) return Promise.reject(next)
        const [status, body] = next
        const text = typeof body === 'string' ? body : JSON.stringify(body)
        return Promise.resolve({ status, url, headers: new Map(), body: new TextEncoder().encode(text) })
      },
    },
  })
}

const DETAILS: [number, unknown] = [200, { lookup_pepper: 'matrixrocks', algorithms: ['sha256'] }]
/** Of `alice@example.com email matrixrocks`, as the specification computes it. */
const HASH = '4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc'

describe('a look-up of an address', () => {
  it('sends the hash that the specification gives, and takes the user for it', async () => {
    const servers = answering(DETAILS, [200, { mappings: { [HASH]: '@alice:a.example' } }])
    const alice = { medium: 'email', address: 'alice@example.com' } as const
    expect(await servers.lookup(ACCESS, alice)).toBe('@alice:a.example')
  })

  it.each([
    ['another address', { mappings: { other: '@alice:a.example' } }],
    ['what is no user', { mappings: { [HASH]: 'alice' } }],
    ['nothing', { mappings: {} }],
  ])('finds nobody by an answer for %s', async (_, answer) => {
    const alice = { medium: 'email', address: 'alice@example.com' } as const
    expect(await answering(DETAILS, [200, answer]).lookup(ACCESS, alice)).toBeUndefined()
  })

  it.each<[string, [number, unknown] | Error, string, number | undefined]>([
    ['no connection', new FederationError('unreachable', 'no'), 'M_UNKNOWN', 502],
    ['an error', [500, {}], 'M_UNKNOWN', 502],
    ['no JSON', [200, '<html>'], 'M_UNKNOWN', 502],
    ['no known hash', [200, { lookup_pepper: 'x', algorithms: ['none'] }], 'M_UNKNOWN', 502],
    ['a token that it does not know', [401, { errcode: 'M_UNKNOWN_TOKEN' }], 'M_FORBIDDEN', undefined],
    ['terms to agree to', [403, { errcode: 'M_TERMS_NOT_SIGNED', error: 'sign' }], 'M_TERMS_NOT_SIGNED', 403],
  ])('with %s is refused, and never as if our own token were void', async (_, answer, errcode, status) => {
    await expect(answering(answer).lookup(ACCESS, EMAIL)).rejects.toMatchObject({ errcode, status })
  })

  it('goes to no server that is not trusted', async () => {
    for (const idServer of ['elsewhere.example', 'id.example/x', 'id.example:444', ''])
      await expect(answering().lookup({ ...ACCESS, idServer }, EMAIL)).rejects.toMatchObject({
        errcode: 'M_SERVER_NOT_TRUSTED',
      })
  })
})

describe('an invite that an identity server keeps', () => {
  const KEY = { public_key: 'abc', key_validity_url: 'https://id.example/valid' }
  it('has a token, a name to show and keys', async () => {
    const answer = { token: 'abc', display_name: 'z…', public_keys: [KEY, { public_key: 5 }, 'x'] }
    expect(await answering([200, answer]).storeInvite(ACCESS, EMAIL, {})).toEqual({
      token: 'abc',
      displayName: 'z…',
      publicKeys: [KEY],
    })
  })

  it.each([
    ['no token', { display_name: 'z', public_keys: [KEY] }],
    ['a token that is none', { token: 'a b', display_name: 'z', public_keys: [KEY] }],
    ['no keys', { token: 'abc', display_name: 'z', public_keys: [] }],
    ['a name without end', { token: 'abc', display_name: 'z'.repeat(10_000), public_keys: [KEY] }],
  ])('is refused with %s', async (_, answer) => {
    await expect(answering([200, answer]).storeInvite(ACCESS, EMAIL, {})).rejects.toMatchObject({
      status: 502,
    })
  })

  it('is none when the address was bound meanwhile', async () => {
    const answer = { errcode: 'M_THREEPID_IN_USE', mxid: '@zoe:a.example' }
    expect(await answering([400, answer]).storeInvite(ACCESS, EMAIL, {})).toEqual({
      boundTo: '@zoe:a.example',
    })
  })
})

describe('addresses', () => {
  it('are hashed in lower case, telephone numbers as digits; what is neither is refused', () => {
    expect(canonicalAddress('email', 'Zoe@Home.Example')).toEqual(EMAIL)
    expect(canonicalAddress('msisdn', '441632960000')).toEqual({ medium: 'msisdn', address: '441632960000' })
    for (const [medium, address] of [
      ['email', 'zoe'],
      ['msisdn', '+441632960000'],
      ['msisdn', '0441632960000'],
      ['fax', '441632960000'],
      ['__proto__', 'x'],
    ] as const)
      expect(canonicalAddress(medium, address)).toBeUndefined()
  })
})
