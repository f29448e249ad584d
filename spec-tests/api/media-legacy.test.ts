import { expect } from '@jest/globals'
import sharp from 'sharp'
import { call } from '../harness/client.js'
import { refusal, section } from '../harness/section.js'

const MEDIA = '/_matrix/media/v3'
const ownOnly = { ownOnly: true }

section(
  'Content repository, without a token',
  'client-server-api/#content-repository',
  (operation) => {
    for (const [id, path] of [
      ['getContent', `${MEDIA}/download/{serverName}/{mediaId}`],
      ['getContentOverrideName', `${MEDIA}/download/{serverName}/{mediaId}/{fileName}`],
      ['getContentThumbnail', `${MEDIA}/thumbnail/{serverName}/{mediaId}`],
    ] as const) {
      const at = (media: string): string =>
        path.replace('{serverName}/{mediaId}', media).replace('{fileName}', 'other.png')
      operation(
        id,
        `GET ${path}`,
        ({ success, error }) => {
          success(
            'gives a file to anybody where the operator leaves that open',
            async (server) => {
              const alice = await server.user('alice')
              const content = await sharp({
                create: { width: 64, height: 48, channels: 3, background: 'red' },
              })
                .png()
                .toBuffer()
              const { body } = await alice.call('POST', `${MEDIA}/upload`, {
                body: content,
                headers: { 'content-type': 'image/png' },
              })
              const media = (body.content_uri as string).slice('mxc://'.length)
              // The contract holds this answer to the specification; the second look is at its bytes.
              const query = id === 'getContentThumbnail' ? { width: 32, height: 32, method: 'crop' } : {}
              expect((await call(server.url, 'GET', at(media), { query })).status).toBe(200)
              const search = id === 'getContentThumbnail' ? '?width=32&height=32&method=crop' : ''
              const answer = await fetch(`${server.url}${at(media)}${search}`)
              const bytes = Buffer.from(await answer.arrayBuffer())
              expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png'])
              if (id === 'getContentThumbnail') {
                const { width, height } = await sharp(bytes).metadata()
                expect([width, height]).toEqual([32, 32])
              } else {
                expect(bytes.equals(content)).toBe(true)
                expect(answer.headers.get('content-disposition')?.includes('other.png') ?? false).toBe(
                  id === 'getContentOverrideName',
                )
              }
            },
            ownOnly,
          )
          error('has no unknown file', async (server) => {
            await refusal(
              call(server.url, 'GET', at(`${server.serverName}/none`), { query: { width: 32, height: 32 } }),
              404,
              'M_NOT_FOUND',
            )
          })
        },
        { auth: 'none' },
      )
    }
  },
  { config: { media: { legacy_unauthenticated: 'on' } } },
)
