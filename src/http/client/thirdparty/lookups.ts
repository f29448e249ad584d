import { Type } from 'typebox'
import { route, v3, type Route } from '../../route.js'

/**
 * Lookups in other networks, which application services answer.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#third-party-lookups
 */
const PROTOCOL = { method: 'GET', auth: 'user', rateLimit: 'read' } as const

/** Of the query, what belongs to this server and not to the network. */
const OURS = new Set(['access_token', 'user_id', 'device_id', 'org.matrix.msc3202.device_id'])

/** The fields of the network, in the query: their names are its own. */
function fieldsOf(uri: string): [string, string][] {
  const start = uri.indexOf('?')
  if (start < 0) return []
  return [...new URLSearchParams(uri.slice(start + 1))].filter(([key]) => !OURS.has(key))
}

const NAMED = Type.String({ maxLength: 255 })

export const thirdPartyLookups: readonly Route[] = [
  route({
    ...PROTOCOL,
    id: 'getProtocolMetadata',
    paths: v3('/thirdparty/protocol/{protocol}'),
    handler: ({ params }, { appservices }) => appservices.queries.protocol(params['protocol']!),
  }),
  route({
    ...PROTOCOL,
    id: 'queryLocationByProtocol',
    paths: v3('/thirdparty/location/{protocol}'),
    handler: ({ params, request }, { appservices }) =>
      appservices.queries.byProtocol('location', params['protocol']!, fieldsOf(request.uri)),
  }),
  route({
    ...PROTOCOL,
    id: 'queryUserByProtocol',
    paths: v3('/thirdparty/user/{protocol}'),
    handler: ({ params, request }, { appservices }) =>
      appservices.queries.byProtocol('user', params['protocol']!, fieldsOf(request.uri)),
  }),
  route({
    ...PROTOCOL,
    id: 'queryLocationByAlias',
    paths: v3('/thirdparty/location'),
    query: Type.Object({ alias: NAMED }),
    handler: ({ query }, { appservices }) => appservices.queries.byId('location', query.alias),
  }),
  route({
    ...PROTOCOL,
    id: 'queryUserByID',
    paths: v3('/thirdparty/user'),
    query: Type.Object({ userid: NAMED }),
    handler: ({ query }, { appservices }) => appservices.queries.byId('user', query.userid),
  }),
]
