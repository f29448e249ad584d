import { randomUUID } from 'node:crypto'
import { expect } from '@jest/globals'
import { EICAR, startFakeClamd } from '../../src/platform/testing-clamd.js'
import { encryptFile, pkEncrypt } from '../../src/services/scanning/testing.js'
import { type Answer, type User } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { newPicture } from '../harness/picture.js'
import { refusal, section } from '../harness/section.js'

const PROXY = '/_matrix/media_proxy/unstable'
/** No server must have this. */
const ours = { ours: true } as const
const SMALL = { width: 32, height: 32 }
const PDF = '%PDF-1.7'
const CLEAN = { clean: true, info: 'File is clean' }
/** By which reason, and with which words, a file is given to nobody. */
const DENIED = [
  [EICAR, 'MCS_MEDIA_NOT_CLEAN', 'The file is infected and is not given'],
  [PDF, 'MCS_MIME_TYPE_FORBIDDEN', 'Files of this kind are not allowed here'],
] as const

const newText = (): string => `what nobody else has written: ${randomUUID()}`

/** `server/id` of a new file. */
async function upload(
  user: User,
  content: Uint8Array | string,
  type: string,
  filename?: string,
): Promise<string> {
  const { status, body } = await user.call('POST', '/_matrix/media/v3/upload', {
    body: content,
    headers: { 'content-type': type },
    query: { filename },
  })
  expect(status).toBe(200)
  return (body.content_uri as string).slice('mxc://'.length)
}

/** Uploads a file as clients in encrypted rooms do; gives what they say of it in their message. */
async function uploadEncrypted(user: User, plain: string): Promise<Record<string, unknown>> {
  const { ciphertext, file } = encryptFile(plain)
  return file(`mxc://${await upload(user, ciphertext, 'application/octet-stream')}`)
}

/** An error as all clients read it, and as those of the content scanner do. */
async function refusedWith(
  answer: Promise<Answer>,
  status: number,
  errcode: string,
  reason: string,
  info: unknown = expect.any(String),
): Promise<void> {
  const { body } = await refusal(answer, status, errcode)
  expect(body).toEqual({ errcode, error: body.info, reason, info })
}

const keyFor = async (user: User): Promise<string> =>
  (await user.ok('GET', `${PROXY}/public_key`)).public_key as string
const sealed = (key: string, file: object): object => ({
  encrypted_body: pkEncrypt(key, JSON.stringify({ file })),
})

async function refusesMistakes(
  server: Homeserver,
  user: User,
  ask: (body: unknown) => Promise<Answer>,
): Promise<void> {
  for (const body of ['{', {}, { file: {} }, { encrypted_body: { ciphertext: 7 } }]) {
    const { body: refused } = await refusal(ask(body), 400, 'M_NOT_JSON', 'M_BAD_JSON')
    expect(refused).toMatchObject({ reason: 'MCS_MALFORMED_JSON', info: refused.error })
  }
  const file = await uploadEncrypted(user, newText())
  const key = await keyFor(user)
  const { encrypted_body: message } = sealed(key, file) as { encrypted_body: object }
  const forged = { encrypted_body: { ...message, mac: 'AAAAAAAAAAA' } }
  await refusedWith(ask(forged), 403, 'M_FORBIDDEN', 'MCS_BAD_DECRYPTION')
  const another = await uploadEncrypted(user, newText())
  const exchanged = { file: { ...file, hashes: another['hashes'] } }
  await refusedWith(ask(exchanged), 400, 'M_UNKNOWN', 'MCS_MEDIA_FAILED_TO_DECRYPT')
  const lost = { file: { ...file, url: `mxc://${server.serverName}/nothing` } }
  await refusedWith(ask(lost), 404, 'M_NOT_FOUND', 'M_NOT_FOUND')
}

// Not in the specification: matrix-content-scanner, as its clients call it.
section(
  'Content scanner',
  'client-server-api/#content-repository',
  (operation) => {
    operation(
      'downloadScanned',
      `GET ${PROXY}/download/{serverName}/{mediaId}`,
      ({ success, error }) => {
        success('gives a clean file as it was sent, to whoever is here', async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          for (const [sender, name] of [
            [alice, 'letter.txt'],
            [bob, 'answer.txt'],
          ] as const) {
            const text = newText()
            const at = await upload(sender, text, 'text/plain', name)
            for (const reader of [alice, bob]) {
              const { status, headers, body } = await reader.call('GET', `${PROXY}/download/${at}`)
              expect([status, body]).toEqual([200, text])
              expect(headers.get('content-type')).toMatch(/^text\/plain/)
              expect(headers.get('content-disposition')).toContain(name)
            }
          }
        })
        error(
          'gives nobody a file that is infected, or of a kind that is not allowed, and says so; nor one that there is not',
          async (server) => {
            const alice = await server.user('alice')
            for (const [content, reason, info] of DENIED) {
              const at = await upload(alice, content, 'image/png')
              await refusedWith(
                alice.call('GET', `${PROXY}/download/${at}`),
                403,
                'M_FORBIDDEN',
                reason,
                info,
              )
            }
            const none = `${PROXY}/download/${server.serverName}/nothing`
            await refusedWith(alice.call('GET', none), 404, 'M_NOT_FOUND', 'M_NOT_FOUND')
          },
        )
      },
      ours,
    )
    operation(
      'thumbnailScanned',
      `GET ${PROXY}/thumbnail/{serverName}/{mediaId}`,
      ({ success, error }) => {
        success('gives a small picture of a clean one', async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          for (const sender of [alice, bob]) {
            const picture = await newPicture()
            const at = await upload(sender, picture.bytes, 'image/png')
            const { status, headers, bytes } = await bob.call('GET', `${PROXY}/thumbnail/${at}`, {
              query: SMALL,
            })
            expect(status).toBe(200)
            expect(headers.get('content-type')).toMatch(/^image\//)
            expect(await picture.isShownBy(bytes)).toBe(true)
          }
        })
        error(
          'gives none of a file that is infected, or that there is not, and wants a size',
          async (server) => {
            const alice = await server.user('alice')
            const at = await upload(alice, EICAR, 'image/png')
            const [[, reason, info]] = DENIED
            const ask = (path: string, query = {}): Promise<Answer> => alice.call('GET', path, { query })
            await refusedWith(ask(`${PROXY}/thumbnail/${at}`, SMALL), 403, 'M_FORBIDDEN', reason, info)
            const none = `${PROXY}/thumbnail/${server.serverName}/nothing`
            await refusedWith(ask(none, SMALL), 404, 'M_NOT_FOUND', 'M_NOT_FOUND')
            await refusal(ask(`${PROXY}/thumbnail/${at}`), 400, 'M_MISSING_PARAM')
          },
        )
      },
      ours,
    )
    operation(
      'scanMedia',
      `GET ${PROXY}/scan/{serverName}/{mediaId}`,
      ({ success, error }) => {
        success('says of a file whether it is clean, and else why not', async (server) => {
          const alice = await server.user('alice')
          const scan = async (content: string): Promise<unknown> =>
            await alice.ok('GET', `${PROXY}/scan/${await upload(alice, content, 'text/plain')}`)
          expect(await scan(newText())).toEqual(CLEAN)
          for (const [content, , info] of DENIED) expect(await scan(content)).toEqual({ clean: false, info })
        })
        error('says nothing of a file that there is not', async (server) => {
          const alice = await server.user('alice')
          const none = `${PROXY}/scan/${server.serverName}/nothing`
          await refusedWith(alice.call('GET', none), 404, 'M_NOT_FOUND', 'M_NOT_FOUND')
        })
      },
      ours,
    )
    operation(
      'getScannerPublicKey',
      `GET ${PROXY}/public_key`,
      ({ success }) => {
        success('gives everybody the key to which clients encrypt the keys of files', async (server) => {
          const alice = await server.user('alice')
          const key = await keyFor(alice)
          expect(key).toMatch(/^[A-Za-z0-9+/]{43}$/)
          const body = sealed(key, await uploadEncrypted(alice, newText()))
          expect(await alice.ok('POST', `${PROXY}/scan_encrypted`, body)).toEqual(CLEAN)
        })
      },
      { auth: 'none', ...ours },
    )
    operation(
      'downloadEncryptedMedia',
      `POST ${PROXY}/download_encrypted`,
      ({ success, error }) => {
        const ask = (user: User, body: unknown): Promise<Answer> =>
          user.call('POST', `${PROXY}/download_encrypted`, { body })
        success(
          'decrypts a clean file for who knows its key, which may come encrypted; there is no other way to it',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const text = newText()
            const file = await uploadEncrypted(alice, text)
            for (const body of [sealed(await keyFor(bob), file), { file }]) {
              const { status, headers, body: got } = await ask(bob, body)
              expect([status, got]).toEqual([200, text])
              expect(headers.get('content-type')).toMatch(/^text\/plain/)
              expect(headers.get('cache-control')).toBe('no-store')
            }
            const path = String(file['url']).slice('mxc://'.length)
            const ordinary = bob.call('GET', `/_matrix/client/v1/media/download/${path}`)
            await refusedWith(ordinary, 403, 'M_FORBIDDEN', 'MCS_MEDIA_ENCRYPTED')
          },
        )
        error(
          'gives nobody what is infected or not allowed, and says of each mistake which it is',
          async (server) => {
            const alice = await server.user('alice')
            for (const [content, reason, info] of DENIED) {
              const file = await uploadEncrypted(alice, content)
              await refusedWith(ask(alice, { file }), 403, 'M_FORBIDDEN', reason, info)
            }
            await refusesMistakes(server, alice, (body) => ask(alice, body))
          },
        )
      },
      ours,
    )
    operation(
      'scanEncryptedMedia',
      `POST ${PROXY}/scan_encrypted`,
      ({ success, error }) => {
        const ask = (user: User, body: unknown): Promise<Answer> =>
          user.call('POST', `${PROXY}/scan_encrypted`, { body })
        success('says of an encrypted file whether it is clean, and else why not', async (server) => {
          const alice = await server.user('alice')
          const key = await keyFor(alice)
          const scan = async (content: string): Promise<unknown> => {
            const file = await uploadEncrypted(alice, content)
            const [open, closed] = [await ask(alice, { file }), await ask(alice, sealed(key, file))]
            expect(closed.body).toEqual(open.body)
            expect([open.status, closed.status]).toEqual([200, 200])
            return open.body
          }
          expect(await scan(newText())).toEqual(CLEAN)
          for (const [content, , info] of DENIED) expect(await scan(content)).toEqual({ clean: false, info })
        })
        error('says of each mistake which it is', async (server) => {
          const alice = await server.user('alice')
          await refusesMistakes(server, alice, (body) => ask(alice, body))
        })
      },
      ours,
    )
  },
  async () => {
    const clamd = await startFakeClamd()
    return {
      config: {
        content_scanner: {
          engine: 'clamd',
          mode: 'strict',
          clamd: { socket: clamd.path },
          deny_types: ['application/pdf'],
        },
      },
      dispose: () => clamd.close(),
    }
  },
)
