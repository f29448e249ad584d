import { expect } from '@jest/globals'
import sharp from 'sharp'
import { call } from '../harness/client.js'
import { newPicture } from '../harness/picture.js'
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
              const picture = await newPicture()
              const { body } = await alice.call('POST', `${MEDIA}/upload`, {
                body: picture.bytes,
                headers: { 'content-type': 'image/png' },
              })
              const media = (body.content_uri as string).slice('mxc://'.length)
              const query = id === 'getContentThumbnail' ? { width: 32, height: 32, method: 'crop' } : {}
              const answer = await call(server.url, 'GET', at(media), { query })
              expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png'])
              if (id === 'getContentThumbnail') {
                const { width, height } = await sharp(answer.bytes).metadata()
                expect([width, height]).toEqual([32, 32])
                expect(await picture.isShownBy(answer.bytes)).toBe(true)
              } else {
                expect(answer.bytes.equals(picture.bytes)).toBe(true)
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
