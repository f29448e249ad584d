import { Type } from 'typebox'
import { notFound } from '../../../core/errors.js'
import { route, v3, type Route } from '../../route.js'

/**
 * Lookups in other networks, which application services answer.
 * TODO: ask those that declare the protocol, once application services are served; until then nothing can be found.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#third-party-lookups
 */
const lookup = (id: string, path: string, words: string, query = Type.Object({})): Route =>
  route({
    id,
    method: 'GET',
    paths: v3(path),
    auth: 'user',
    rateLimit: 'read',
    query,
    handler: () => Promise.reject(notFound(words)),
  })

const NAMED = Type.String({ maxLength: 255 })

export const thirdPartyLookups: readonly Route[] = [
  lookup('getProtocolMetadata', '/thirdparty/protocol/{protocol}', 'This protocol is not known here'),
  lookup('queryLocationByProtocol', '/thirdparty/location/{protocol}', 'No portal rooms were found'),
  lookup('queryUserByProtocol', '/thirdparty/user/{protocol}', 'No user was found'),
  lookup(
    'queryLocationByAlias',
    '/thirdparty/location',
    'No location was found',
    Type.Object({ alias: NAMED }),
  ),
  lookup('queryUserByID', '/thirdparty/user', 'No user was found', Type.Object({ userid: NAMED })),
]
