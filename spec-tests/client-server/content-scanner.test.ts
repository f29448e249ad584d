import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startFakeClamd, type FakeClamd } from '../../src/platform/testing-clamd.js'
import { encryptFile, pkEncrypt } from '../../src/services/scanning/testing.js'
import { register, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

const PROXY = '/_matrix/media_proxy/unstable'

// What its operations do one by one is tested in spec-tests/api.
describe('the content scanner', () => {
  let clamd: FakeClamd
  let node: Node
  let user: User
  beforeAll(async () => {
    clamd = await startFakeClamd()
    node = await startNode({
      config: { content_scanner: { engine: 'clamd', mode: 'strict', clamd: { socket: clamd.path } } },
    })
    user = await register(node.url)
  })
  afterAll(async () => {
    await node.dispose()
    await clamd.close()
  })

  async function upload(body: Uint8Array | string, type: string): Promise<string> {
    const headers = { 'content-type': type }
    const answer = await user.call('POST', '/_matrix/media/v3/upload', { body, headers })
    return (answer.body.content_uri as string).slice('mxc://'.length)
  }

  it('writes no key of a file into the log', async () => {
    const { ciphertext, file } = encryptFile('a text that is read by those alone who were given its key')
    const described = file(`mxc://${await upload(ciphertext, 'application/octet-stream')}`)
    const { public_key: key } = await user.ok('GET', `${PROXY}/public_key`)
    const sealed = pkEncrypt(String(key), JSON.stringify({ file: described }))
    const forged = { ...sealed, mac: 'AAAAAAAAAAA' }
    for (const [body, status] of [
      [{ file: described }, 200],
      [{ encrypted_body: sealed }, 200],
      [{ encrypted_body: forged }, 403],
    ] as const)
      expect((await user.call('POST', `${PROXY}/download_encrypted`, { body })).status).toBe(status)
    const { k } = described['key'] as { k: string }
    expect(await readFile(join(node.folder, 'log.txt'), 'utf8')).not.toContain(k)
  })

  it('gives nothing while the engine does not answer as it should, and says that it is not the file', async () => {
    const at = await upload('another text', 'text/plain')
    clamd.mood = 'broken'
    for (const path of [`${PROXY}/download/${at}`, `/_matrix/client/v1/media/download/${at}`]) {
      const { status, body } = await user.call('GET', path)
      expect([status, body.reason]).toEqual([502, 'MCS_MEDIA_REQUEST_FAILED'])
    }
    clamd.mood = 'well'
    expect((await user.call('GET', `${PROXY}/download/${at}`)).body).toBe('another text')
  })
})
