import { describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey } from '../../platform/ed25519.js'
import { systemRandom } from '../../platform/random.js'
import type { Keys, SignatureVerdict } from './keys.js'
import { createRequestAuth, type InboundRequest } from './request-auth.js'
import { authorizationHeader } from './x-matrix.js'

const signer = createSigner(generateSigningKey(systemRandom))
const URI = '/_matrix/federation/v1/event/x'

function requestOf(origin: string, address: string): InboundRequest {
  const line = { method: 'GET', uri: URI, origin, destination: 'us.example', content: undefined }
  const authorization = authorizationHeader(line, signer)!
  return { method: 'GET', uri: URI, authorization, content: undefined, address }
}

/** Nobody's keys are known, and whoever is asked for them says nothing until `answer`. */
function auth() {
  const asked: string[] = []
  let answer: () => void = () => undefined
  const answered = new Promise<void>((resolve) => (answer = resolve))
  const verify: Keys['verify'] = async (checks, options) => {
    if (options?.knownOnly !== true) {
      asked.push(...checks.map(({ serverName }) => serverName))
      await answered
    }
    return checks.map(({ serverName }): SignatureVerdict => ({
      ok: false,
      reason: 'unknown-key',
      server: serverName,
    }))
  }
  const subject = createRequestAuth({ serverName: 'us.example', keys: { verify }, clock: manualClock() })
  const outcome = (origin: string, address: string): Promise<string> =>
    subject.verify(requestOf(origin, address)).then(
      () => 'ok',
      (error: unknown) => (error as { errcode: string }).errcode,
    )
  return { asked, answer, outcome }
}

const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${i}.example`)

describe('requests in the name of servers whose keys nobody knows', () => {
  it('have few servers asked at once for one address, and others for another', async () => {
    const { asked, answer, outcome } = auth()
    const first = named(24).map((origin) => outcome(origin, '192.0.2.1'))
    expect(await outcome('more.example', '192.0.2.1')).toBe('M_LIMIT_EXCEEDED')
    expect(asked).toEqual(named(24))
    const elsewhere = outcome('more.example', '192.0.2.2')
    // Who names a server that is being asked already waits with the others.
    const same = outcome('s3.example', '192.0.2.1')
    answer()
    expect(new Set(await Promise.all([...first, elsewhere, same]))).toEqual(new Set(['M_UNAUTHORIZED']))
    expect(asked.slice(24).toSorted()).toEqual(['more.example', 's3.example'])
    // What is over makes way.
    expect(await outcome('more.example', '192.0.2.1')).toBe('M_UNAUTHORIZED')
  })
})
