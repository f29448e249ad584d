import { Type } from 'typebox'
import type { JsonObject } from '../../../core/json/value.js'
import type { Services } from '../../../services/services.js'
import type { Requester } from '../../../services/requester.js'

const token = Type.Optional(Type.String({ maxLength: 255 }))

/** What the three routes of `/relations` are asked beside their paths. */
export const relatingQuery = Type.Object({
  from: token,
  to: token,
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  recurse: Type.Optional(Type.Boolean()),
})

interface Query {
  readonly from?: string
  readonly to?: string
  readonly limit?: number
  readonly dir?: 'b' | 'f'
  readonly recurse?: boolean
}

export const relatingPage = (
  requester: Requester,
  params: Readonly<Record<string, string>>,
  query: Query,
  { relations }: Services,
): Promise<JsonObject> =>
  relations.relating.page(requester, {
    roomId: params['roomId']!,
    eventId: params['eventId']!,
    relType: params['relType'],
    type: params['eventType'],
    dir: query.dir ?? 'b',
    from: query.from,
    to: query.to,
    limit: query.limit,
    recurse: query.recurse,
  })
