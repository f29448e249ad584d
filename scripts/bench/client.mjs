import { Agent, request } from 'undici'

const TIMEOUT_MS = 60_000

/** A client of one node that keeps its connections open. */
export function createClient(url, connections) {
  const dispatcher = new Agent({
    connections,
    pipelining: 1,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  })

  async function text(method, path, token, body) {
    const answer = await request(url + path, {
      method,
      dispatcher,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const found = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${found}`)
    return found
  }

  return {
    text,
    json: async (method, path, token, body) => JSON.parse(await text(method, path, token, body)),
    close: () => dispatcher.destroy(),
  }
}

export const v3 = (path) => `/_matrix/client/v3${path}`
export const inRoom = (roomId, path) => v3(`/rooms/${encodeURIComponent(roomId)}${path}`)
