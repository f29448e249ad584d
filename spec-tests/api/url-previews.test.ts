import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from '@jest/globals'
import { call } from '../harness/client.js'
import { refusal, section } from '../harness/section.js'

/** Runs a task while a page can be had. */
async function withPage(html: string, task: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await task(`http://127.0.0.1:${(server.address() as AddressInfo).port}/page`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

section(
  'URL previews',
  'client-server-api/#get_matrixclientv1mediapreview_url',
  (operation) => {
    for (const [id, path] of [
      ['getUrlPreviewAuthed', '/_matrix/client/v1/media/preview_url'],
      ['getUrlPreview', '/_matrix/media/v3/preview_url'],
    ] as const) {
      operation(id, `GET ${path}`, ({ success, error, authorisation }) => {
        // Not of all: the page is at an address of this machine, which a server must be told to ask.
        success(
          'says what a page says of itself',
          async (server) => {
            const alice = await server.user('alice')
            const html =
              '<meta property="og:title" content="Tea"><meta property="og:description" content="Green">'
            await withPage(html, async (url) => {
              const answer = await alice.call('GET', path, { query: { url } })
              expect([answer.status, answer.body]).toEqual([
                200,
                { 'og:title': 'Tea', 'og:description': 'Green' },
              ])
            })
          },
          { ownOnly: true },
        )
        authorisation('is for users', async (server) => {
          const query = { url: 'https://example.org/' }
          await refusal(call(server.url, 'GET', path, { query }), 401, 'M_MISSING_TOKEN')
        })
        error(
          'refuses what is no address of the web',
          async (server) => {
            const alice = await server.user('alice')
            const ask = (url?: string) => alice.call('GET', path, { query: { url } })
            await refusal(ask(), 400, 'M_MISSING_PARAM')
            await refusal(ask('no address'), 400, 'M_INVALID_PARAM')
            await refusal(ask('file:///etc/passwd'), 403, 'M_FORBIDDEN')
          },
          { ownOnly: true },
        )
      })
    }
  },
  { config: { url_previews: { enabled: true, allowed_ip_ranges: ['127.0.0.1/32'] } } },
)
