import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from '@jest/globals'
import { FederationError, type FederationClient } from '../federation/client.js'
import { federationFetch } from './federation-fetch.js'
import { AS_USER, openMediaBench, remoteParts, type MediaBench } from './testing.js'

const benches: MediaBench[] = []
afterEach(async () => {
  for (const opened of benches.splice(0)) await opened.close()
})

type Requests = Parameters<FederationClient['requestStream']>[0][]

async function bench(...answers: (() => ReturnType<FederationClient['requestStream']>)[]) {
  const requests: Requests = []
  const client: Pick<FederationClient, 'requestStream'> = {
    requestStream(request) {
      requests.push(request)
      return answers[requests.length - 1]!()
    },
  }
  const fetchRemote = federationFetch(client, { maxRemoteBytes: 50_000, remoteTimeoutMs: 5000 })
  const opened = await openMediaBench({ fetchRemote })
  benches.push(opened)
  return { requests, get: () => opened.media.download('other.example', 'abc', AS_USER) }
}

const ok = (headers: Record<string, string>, body: Readable) =>
  Promise.resolve({ status: 200, headers: new Map(Object.entries(headers)), body })
const status = (code: number, errcode?: string) =>
  Promise.reject(new FederationError('status', 'refused', { status: code, errcode }))

describe('media by the federation client', () => {
  it('are read in two parts, within the limits', async () => {
    const parts = remoteParts('picture')
    const { requests, get } = await bench(() => ok(parts.headers as Record<string, string>, parts.body))
    expect(await get()).toMatchObject({ size: 7, contentType: 'image/png' })
    expect(requests).toEqual([
      expect.objectContaining({ method: 'GET', destination: 'other.example', timeoutMs: 5000 }),
    ])
    expect(requests[0]!.maxBytes).toBeGreaterThanOrEqual(50_000)
  })

  it('come from the older endpoint after M_UNRECOGNIZED', async () => {
    const { requests, get } = await bench(
      () => status(404, 'M_UNRECOGNIZED'),
      () => ok({ 'content-type': 'image/gif' }, Readable.from([Buffer.from('old')])),
    )
    expect(await get()).toMatchObject({ size: 3, contentType: 'image/gif' })
    expect(requests[1]!.path).toContain('/_matrix/media/v3/download/other.example/abc?allow_remote=false')
  })

  it.each([
    [() => status(404, 'M_NOT_FOUND'), { errcode: 'M_NOT_FOUND' }],
    [() => status(500), { errcode: 'M_UNKNOWN', status: 502 }],
    [() => status(504, 'M_NOT_YET_UPLOADED'), { errcode: 'M_NOT_YET_UPLOADED' }],
    [
      () => Promise.reject(new FederationError('too-large', 'too large')),
      { errcode: 'M_TOO_LARGE', status: 502 },
    ],
    [() => Promise.reject(new FederationError('unreachable', 'no')), { errcode: 'M_UNKNOWN', status: 502 }],
  ])('fail as the other server says, case %#', async (answer, error) => {
    const { requests, get } = await bench(answer)
    await expect(get()).rejects.toEqual(expect.objectContaining(error))
    expect(requests).toHaveLength(1)
  })
})
