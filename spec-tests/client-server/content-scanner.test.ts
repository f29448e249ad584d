import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { EICAR, startFakeClamd, type FakeClamd } from '../../src/platform/testing-clamd.js'
import { encryptFile, pkEncrypt } from '../../src/services/scanning/testing.js'
import { register, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

const PROXY = '/_matrix/media_proxy/unstable'
const GIF = 'GIF89a a picture'

describe('the content scanner, as its clients call it', () => {
  let clamd: FakeClamd
  let node: Node
  let user: User
  beforeAll(async () => {
    clamd = await startFakeClamd()
    node = await startNode({
      config: {
        content_scanner: {
          engine: 'clamd',
          mode: 'strict',
          clamd: { socket: clamd.path },
          deny_types: ['application/pdf'],
        },
      },
    })
    user = await register(node.url)
  })
  afterAll(async () => {
    await node.dispose()
    await clamd.close()
  })

  interface Answer {
    readonly status: number
    readonly type: string | null
    readonly text: string
    readonly body: Record<string, unknown>
  }

  async function ask(
    method: string,
    path: string,
    body?: unknown,
    token: string | undefined = user.token,
  ): Promise<Answer> {
    const answer = await fetch(`${node.url}${path}`, {
      method,
      headers: token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    const isJson = answer.headers.get('content-type') === 'application/json'
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      text,
      body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
    }
  }

  async function upload(bytes: Buffer | string, type = 'application/octet-stream'): Promise<string> {
    const answer = await fetch(`${node.url}/_matrix/media/v3/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': type },
      body: Buffer.from(bytes),
    })
    return ((await answer.json()) as { content_uri: string }).content_uri
  }

  const at = (uri: string): string => uri.slice('mxc://'.length)

  it('gives a clean file and says that it is', async () => {
    const uri = await upload(GIF, 'image/gif')
    expect(await ask('GET', `${PROXY}/download/${at(uri)}`)).toMatchObject({
      status: 200,
      type: 'image/gif',
      text: GIF,
    })
    expect((await ask('GET', `${PROXY}/scan/${at(uri)}`)).body).toEqual({
      clean: true,
      info: 'File is clean',
    })
    expect((await ask('GET', `/_matrix/client/v1/media/download/${at(uri)}`)).text).toBe(GIF)
  })

  it('gives an infected one on no path, and says why', async () => {
    const uri = await upload(EICAR, 'image/png')
    const refused = { errcode: 'M_FORBIDDEN', reason: 'MCS_MEDIA_NOT_CLEAN', info: expect.any(String) }
    for (const path of [
      `${PROXY}/download/${at(uri)}`,
      `${PROXY}/thumbnail/${at(uri)}?width=32&height=32`,
      `/_matrix/client/v1/media/download/${at(uri)}`,
      `/_matrix/client/v1/media/thumbnail/${at(uri)}?width=32&height=32`,
    ]) {
      const answer = await ask('GET', path)
      expect(answer.status).toBe(403)
      expect(answer.body).toMatchObject(refused)
    }
    expect(await ask('GET', `${PROXY}/scan/${at(uri)}`)).toMatchObject({
      status: 200,
      body: { clean: false },
    })
  })

  it('decrypts for whoever encrypts the key to it, and in strict mode there is no other way', async () => {
    const { ciphertext, file } = encryptFile(GIF)
    const uri = await upload(ciphertext)
    const { public_key: key } = (await ask('GET', `${PROXY}/public_key`, undefined, '')).body
    const body = { encrypted_body: pkEncrypt(String(key), JSON.stringify({ file: file(uri) })) }
    expect(await ask('POST', `${PROXY}/download_encrypted`, body)).toMatchObject({
      status: 200,
      type: 'image/gif',
      text: GIF,
    })
    expect(await ask('POST', `${PROXY}/download_encrypted`, { file: file(uri) })).toMatchObject({
      status: 200,
      text: GIF,
    })
    expect((await ask('POST', `${PROXY}/scan_encrypted`, body)).body).toMatchObject({ clean: true })
    const ordinary = await ask('GET', `/_matrix/client/v1/media/download/${at(uri)}`)
    expect(ordinary).toMatchObject({ status: 403, body: { reason: 'MCS_MEDIA_ENCRYPTED' } })
    const bad = { encrypted_body: { ...body.encrypted_body, mac: 'AAAAAAAAAAA' } }
    expect(await ask('POST', `${PROXY}/download_encrypted`, bad)).toMatchObject({
      status: 403,
      body: { reason: 'MCS_BAD_DECRYPTION' },
    })
    const { k } = (file(uri)['key'] ?? {}) as { k: string }
    expect(await readFile(join(node.folder, 'log.txt'), 'utf8')).not.toContain(k)
  })

  it('refuses infected and forbidden files that were encrypted', async () => {
    for (const [plain, reason] of [
      [`\n${EICAR}`, 'MCS_MEDIA_NOT_CLEAN'],
      ['%PDF-1.7', 'MCS_MIME_TYPE_FORBIDDEN'],
    ] as const) {
      const { ciphertext, file } = encryptFile(plain)
      const body = { file: file(await upload(ciphertext)) }
      expect(await ask('POST', `${PROXY}/download_encrypted`, body)).toMatchObject({
        status: 403,
        body: { reason },
      })
      expect((await ask('POST', `${PROXY}/scan_encrypted`, body)).body).toMatchObject({ clean: false })
    }
  })

  it('answers every mistake with a reason and words', async () => {
    const missing = `${PROXY}/download/${node.serverName}/nothing`
    for (const [answer, status, reason] of [
      [await ask('GET', missing), 404, 'M_NOT_FOUND'],
      [await ask('GET', missing, undefined, ''), 401, 'M_MISSING_TOKEN'],
      [await ask('GET', missing, undefined, 'nonsense'), 401, 'M_UNKNOWN_TOKEN'],
      [await ask('POST', `${PROXY}/scan_encrypted`, '{'), 400, 'MCS_MALFORMED_JSON'],
      [await ask('POST', `${PROXY}/scan_encrypted`, {}), 400, 'MCS_MALFORMED_JSON'],
    ] as const) {
      expect(answer.status).toBe(status)
      expect(answer.body).toMatchObject({ reason, info: expect.any(String) })
    }
  })

  it('gives nothing while the engine does not answer as it should, and says that it is not the file', async () => {
    const uri = await upload('another text', 'text/plain')
    clamd.mood = 'broken'
    for (const path of [`${PROXY}/download/${at(uri)}`, `/_matrix/client/v1/media/download/${at(uri)}`])
      expect(await ask('GET', path)).toMatchObject({
        status: 502,
        body: { reason: 'MCS_MEDIA_REQUEST_FAILED' },
      })
    clamd.mood = 'well'
    expect((await ask('GET', `${PROXY}/download/${at(uri)}`)).text).toBe('another text')
  })
})
