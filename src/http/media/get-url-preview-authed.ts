import { Type } from 'typebox'
import { route, v1 } from '../route.js'

export const previewQuery = Type.Object({
  url: Type.String({ maxLength: 4_096 }),
  ts: Type.Optional(Type.Integer({ minimum: 0 })),
})

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url */
export const getUrlPreviewAuthed = route({
  id: 'getUrlPreviewAuthed',
  method: 'GET',
  paths: v1('/media/preview_url'),
  auth: 'user',
  rateLimit: 'media',
  query: previewQuery,
  handler: ({ requester, query }, { previews }) => previews.preview(requester.userId, query.url, query.ts),
})
