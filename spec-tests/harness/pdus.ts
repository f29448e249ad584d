import { readPdu } from '../../src/core/event/format.js'
import { verifyContentHash } from '../../src/core/event/hash.js'
import { eventSigningInput, signaturesOf } from '../../src/core/event/sign.js'
import type { RoomEvent } from '../../src/core/event/types.js'
import type { Json } from '../../src/core/json/value.js'
import type { RoomVersionRules } from '../../src/core/room-version/rules.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { verifySignatureBy } from '../../src/platform/ed25519.js'
import { call } from './client.js'
import type { Homeserver } from './homeserver.js'

const KEY_PATH = '/_matrix/key/v2/server'

/** What tells whether the server under test has signed an event, by the keys that it publishes now. */
async function signatureCheck(
  server: Homeserver,
  rules: RoomVersionRules,
): Promise<(event: RoomEvent) => boolean> {
  const { verify_keys: keys } = (await call(server.url, 'GET', KEY_PATH)).body as {
    verify_keys: Record<string, { key: string }>
  }
  return (event) => {
    const signed = eventSigningInput(event.pdu, rules)
    const isBy = ([id, signature]: [string, string]): boolean =>
      keys[id] !== undefined && verifySignatureBy(keys[id].key, signed, signature)
    return [...signaturesOf(event.pdu, server.serverName)].some(isBy)
  }
}

/**
 * The ids of events as servers send them. Throws where one is not as it was made: where it is not of the format of the room version, its
 * hash is not that of its content, or the server under test sent it and has not signed it.
 * @param mustBeSigned events of others too, such as invitations of its users
 */
export async function idsOfWhole(
  server: Homeserver,
  version: string,
  pdus: readonly unknown[],
  mustBeSigned = false,
): Promise<string[]> {
  const rules = roomVersion(version)!
  const isSigned = await signatureCheck(server, rules)
  return pdus.map((pdu) => {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${JSON.stringify(pdu)}`)
    }
    const read = readPdu(pdu as Json, rules)
    if (!read.ok) return fail(read.reason)
    const { event } = read
    if (!verifyContentHash(event.pdu, rules)) return fail('the hash is not that of the content')
    if (!mustBeSigned && !event.sender.endsWith(`:${server.serverName}`)) return event.id
    return isSigned(event) ? event.id : fail('not signed')
  })
}
