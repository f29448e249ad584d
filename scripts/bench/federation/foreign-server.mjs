import { createServer } from 'node:https'
import { Agent, request } from 'undici'
import { certificateOf } from './program.mjs'

const DAY_MS = 24 * 3_600_000
const VERSIONS = Array.from({ length: 12 }, (_, i) => `ver=${i + 1}`).join('&')
const enc = encodeURIComponent
let transaction = 0

const answerJson = (response, body, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

async function readJson(message) {
  const chunks = []
  for await (const chunk of message) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

/**
 * A homeserver that lives in this process: it has a key, joins rooms, sends events and takes what is sent to it. `onPdus` is
 * called with the PDUs of each transaction; `answer` may answer other requests, and says whether it did.
 */
export async function startForeignServer(program, authority) {
  const {
    buildEvent,
    signJson,
    createSigner,
    generateSigningKey,
    systemRandom,
    authorizationHeader,
    roomVersion,
  } = program
  const { certificate, privateKey } = certificateOf(program, authority)
  const key = createSigner(generateSigningKey(systemRandom))
  const foreign = { onPdus: () => undefined, answer: () => false }
  const server = createServer({ cert: certificate, key: privateKey })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const name = `localhost:${server.address().port}`
  const signer = { serverName: name, keyId: key.keyId, sign: key.sign }
  const agent = new Agent({ connect: { ca: authority.certificate }, connections: 4 })

  server.on('request', (message, response) => {
    const path = new URL(message.url, 'https://localhost').pathname
    if (path === '/_matrix/key/v2/server') {
      const document = {
        server_name: name,
        verify_keys: { [key.keyId]: { key: key.publicKey } },
        old_verify_keys: {},
        valid_until_ts: Date.now() + 7 * DAY_MS,
      }
      answerJson(response, signJson(document, signer))
    } else if (path.startsWith('/_matrix/federation/v1/send/')) {
      void readJson(message).then(({ pdus }) => {
        foreign.onPdus(pdus)
        answerJson(response, { pdus: {} })
      })
    } else if (!foreign.answer(message, response, path)) {
      answerJson(response, { errcode: 'M_UNRECOGNIZED', error: 'not here' }, 404)
    }
  })

  /** A signed request to a node. */
  async function call(node, method, uri, content) {
    const authorization = authorizationHeader(
      { method, uri, origin: name, destination: node.serverName, content },
      signer,
    )
    const answer = await request(`https://${node.serverName}${uri}`, {
      method,
      dispatcher: agent,
      headers: { authorization, ...(content === undefined ? {} : { 'content-type': 'application/json' }) },
      body: content === undefined ? null : JSON.stringify(content),
    })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`${method} ${uri}: ${answer.statusCode} ${text}`)
    return JSON.parse(text)
  }

  /** Joins a user to a room of the node. Gives what makes further events of that user. */
  async function join(node, roomId, userId) {
    const path = `/_matrix/federation/v1/make_join/${enc(roomId)}/${enc(userId)}?${VERSIONS}`
    const { event: template, room_version: version } = await call(node, 'GET', path)
    const rules = roomVersion(version)
    const build = (fields) =>
      buildEvent({ sender: userId, roomId, originServerTs: Date.now(), ...fields }, rules, signer)
    const joined = build({
      type: template.type,
      stateKey: template.state_key,
      content: template.content,
      depth: template.depth,
      prevEvents: template.prev_events,
      authEvents: template.auth_events,
    })
    const { state } = await call(
      node,
      'PUT',
      `/_matrix/federation/v2/send_join/${enc(roomId)}/${enc(joined.id)}`,
      joined.pdu,
    )
    // Who may speak: the create event (of older room versions) and the power levels, of those that let the user in.
    const kinds = new Set(['m.room.create', 'm.room.power_levels'])
    const speaking = state.filter((pdu) => kinds.has(pdu.type)).map((pdu) => program.eventId(pdu, rules))
    const authEvents = [...joined.authEvents.filter((id) => speaking.includes(id)), joined.id]
    let last = joined
    return {
      joined,
      /** The next event of the user, behind `prev` or the one made before. */
      next(type, content, stateKey, prev = [last]) {
        last = build({
          type,
          content,
          stateKey,
          depth: Math.max(...prev.map(({ depth }) => depth)) + 1,
          prevEvents: prev.map(({ id }) => id),
          authEvents,
        })
        return last
      },
    }
  }

  const send = (node, pdus) =>
    call(node, 'PUT', `/_matrix/federation/v1/send/b${Date.now()}-${transaction++}`, {
      origin: name,
      origin_server_ts: Date.now(),
      pdus,
      edus: [],
    })

  return Object.assign(foreign, {
    name,
    signer,
    call,
    join,
    send,
    async close() {
      await agent.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
