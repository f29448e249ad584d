import { Type } from 'typebox'
import { Short } from '../validate.js'

const MAX_OFFSET = 1_000_000_000

/** The query of lists: where the page begins, how long it is, and in which direction it goes. */
export const PAGING = {
  from: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_OFFSET })),
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_OFFSET })),
  dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
}

/** What tools send for a text that they do not mean to set. */
export const ShortOrNull = Type.Union([Short, Type.Null()])

interface Paging {
  readonly from?: number
  readonly limit?: number
  readonly dir?: 'f' | 'b'
}

export const pageOf = ({
  from,
  limit,
  dir,
}: Paging): { readonly offset: number; readonly limit: number; readonly descending: boolean } => ({
  offset: from ?? 0,
  limit: limit ?? 100,
  descending: dir === 'b',
})
