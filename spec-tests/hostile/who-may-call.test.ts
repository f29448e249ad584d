import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Route } from '../../src/http/route.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { allRoutes } from '../../src/server.js'
import { register, v3 } from '../harness/client.js'
import { takesJson, type RawAnswer } from './routes.js'
import { faults, is, startWorld, type World } from './world.js'

// Every route several times.
jest.setTimeout(180_000)

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const isOf = (...auths: readonly Route['auth'][]): Route[] =>
  allRoutes.filter((route) => auths.includes(route.auth))
const withToken = isOf('user', 'guest', 'admin', 'appservice')

/** Who may call without a token, and why. */
const OPEN: ReadonlySet<string> = new Set([
  // Before there is a session.
  'login', 'getLoginFlows', 'refresh', 'register', 'checkUsernameAvailability', 'registrationTokenValidity', 'getAuthFallback',
  'postAuthFallback', 'getLoginPage', 'redirectToSSO', 'redirectToIdP', 'getAuthMetadata', 'getSharedSecretNonce', 'registerWithSharedSecret',
  'requestTokenToRegisterEmail', 'requestTokenToRegisterMSISDN', 'requestTokenToResetPasswordEmail', 'requestTokenToResetPasswordMSISDN',
  // The specification asks for no token: the proof is in the body, or the e-mail.
  'requestTokenTo3PIDEmail', 'requestTokenTo3PIDMSISDN', 'getConfirmEmail', 'postConfirmEmail',
  // What the specification shows to everybody.
  'getRoomIdByAlias', 'getVersions', 'getLandingPage', 'getWellknown', 'getWellKnown', 'getWellknownSupport', 'getWellknownPolicy',
  'getScannerPublicKey',
  'getServerKey', 'perspectivesKeyQuery', 'bulkPerspectivesKeyQuery', 'getVersion', 'exchangeOpenIdToken', 'onBindThirdPartyIdentifier', 'onBindThirdPartyIdentifierByPost',
  // What a new password must be.
  'getPasswordPolicy',
  // Of the identity server: by the token that a user shows it, if it is about users at all.
  'pingIdentityService', 'getIdentityVersions', 'getIdentityTerms', 'registerIdentityAccount', 'getIdentityAccount', 'logOutOfIdentity', 'getHashDetails',
  'lookupUsers', 'storeInvite', 'isInviteKeyValid',
  // By a link that somebody was sent.
  'getUnsubscribe', 'postUnsubscribe', 'getRenewAccount', 'postRenewAccount',
  // By the id of a delay, which is handed to a server for calls (MSC4140).
  'sendDelayedEvent', 'cancelDelayedEvent', 'restartDelayedEvent',
  // Of the operator, who decides by listeners who reaches them.
  'getMetrics', 'getHealth',
  // Tools of administrators ask for it before they log in.
  'adminServerVersion',
]) // prettier-ignore

describe('who may call', () => {
  it('is nobody in particular for those routes alone that stand in the list', () => {
    expect(new Set(isOf('none').map(({ id }) => id))).toEqual(OPEN)
  })

  it('is another server for every other route of federation', () => {
    const federation = allRoutes.filter(({ paths }) => paths[0]!.startsWith('/_matrix/federation/'))
    expect(federation.length).toBeGreaterThan(25)
    for (const { id, auth } of federation) expect([id, auth]).toEqual([id, OPEN.has(id) ? 'none' : 'server'])
  })

  it('must show a token', async () => {
    const found = await faults(withToken, async (route) => {
      const none = await world.send(route, { headers: {} })
      const empty = await world.send(route, { headers: { authorization: 'Bearer ' } })
      const other = await world.send(route, { headers: { authorization: 'Basic dXNlcjpwdw==' } })
      return [none, empty, other].map((answer, i) => [`${i}`, answer, is(answer, 401, 'M_MISSING_TOKEN')])
    })
    expect(found).toEqual([])
  })

  it('must show a token that this node gave, and still knows', async () => {
    const gone = await register(world.node.url)
    await gone.ok('POST', v3('/logout'))
    const found = await faults([...withToken, ...isOf('optional-user')], async (route) => {
      const path = world.target(route)
      const inQuery = `${path}${path.includes('?') ? '&' : '?'}access_token=nonsense`
      const answers = [
        await world.send(route, { headers: { authorization: 'Bearer nonsense' } }),
        await world.send(route, { headers: { authorization: `Bearer ${gone.token}` } }),
        await world.send(route, { path: inQuery, headers: {} }),
        await world.send(route, { path: inQuery, headers: { authorization: `Bearer ${world.user.token}` } }),
      ]
      return answers.map((answer, i) => [`${i}`, answer, is(answer, 401, 'M_UNKNOWN_TOKEN')])
    })
    expect(found).toEqual([])
  })

  it('is an administrator, or an application service, and not just any user', async () => {
    const found = await faults(isOf('admin', 'appservice'), async (route) => {
      const answer = await world.send(route, { headers: { authorization: `Bearer ${world.user.token}` } })
      return [['', answer, is(answer, 403, 'M_FORBIDDEN')]]
    })
    expect(found).toEqual([])
  })

  it('is a server that signed the very request', async () => {
    const forger = createSigner(generateSigningKey(systemRandom))
    const found = await faults(isOf('server'), async (route) => {
      const uri = world.target(route)
      const content = takesJson(route) ? world.bodyFor(route) : undefined
      const good = world.sign(route, uri, content)
      const bad: readonly (readonly [string, string | undefined])[] = [
        ['no header', undefined],
        ['a token', `Bearer ${world.user.token}`],
        ['no X-Matrix', 'X-Matrix nonsense'],
        ['an unknown key', world.sign(route, uri, content, { key: forger })],
        ['a forged signature', good.replace(/sig="[^"]*"/, `sig="${forger.sign(new Uint8Array())}"`)],
        ['another path', world.sign(route, `${uri}x`, content)],
        ['another body', world.sign(route, uri, { ...content, more: 1 })],
        ['another destination', world.sign(route, uri, content, { destination: 'other.example' })],
        ['our own name', good.replace(world.peer.name, world.node.serverName)],
      ]
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const [what, authorization] of bad) {
        const answer = await world.send(route, {
          headers: authorization === undefined ? {} : { authorization },
        })
        answers.push([what, answer, is(answer, 401, 'M_UNAUTHORIZED')])
      }
      // With the right signature it is something else that is refused, if anything.
      const right = await world.send(route)
      return [...answers, ['signed well', right, right.status !== 401 && right.status < 500]]
    })
    expect(found).toEqual([])
  })

  it('may not name somebody else in the path', async () => {
    /** Where it is the point. */
    const ABOUT_OTHERS = new Set([
      'getPresence', 'getUserProfile', 'getProfileField', 'reportUser', 'getAdminLockUser', 'getAdminSuspendUser',
      'setAdminLockUser', 'setAdminSuspendUser',
    ]) // prettier-ignore
    const own = withToken.filter(
      ({ id, paths }) =>
        paths[0]!.includes('{userId}') &&
        !ABOUT_OTHERS.has(id) &&
        !/^\/_(synapse|chancery)\/admin\//.test(paths[0]!),
    )
    expect(own.length).toBeGreaterThan(12)
    const found = await faults(own, async (route) => {
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const userId of [
        world.other.userId,
        '@nobody:elsewhere.example',
        `@nobody:${world.node.serverName}`,
      ]) {
        const path = world.target(route, undefined, { userId })
        const answer = await world.send(route, { path })
        answers.push([userId, answer, is(answer, 403, 'M_FORBIDDEN')])
      }
      return answers
    })
    expect(found).toEqual([])
  })
})

it('the log tells of no request that failed for a fault of the node', async () => {
  expect(await world.failures()).toEqual([])
})
