import { Readable } from 'node:stream'
import { reply, route, v3 } from '../../route.js'
import { VersionQuery } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeys */
export const getRoomKeys = route({
  id: 'getRoomKeys',
  method: 'GET',
  paths: v3('/room_keys/keys'),
  auth: 'user',
  rateLimit: 'keys',
  query: VersionQuery,
  async handler({ requester, query }, { e2ee }) {
    // A backup can hold a million keys: it is sent page by page.
    const pieces = await e2ee.keyBackup.read(requester.userId, query.version)
    return reply({ headers: { 'Content-Type': 'application/json' }, body: Readable.from(pieces) })
  },
})
