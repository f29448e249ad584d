import { Type } from 'typebox'

/** How a room's history is paged through. */
export const MessagesQuery = Type.Object({
  // Who may not see the room learns nothing else first.
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  filter: Type.Optional(Type.String()),
})
