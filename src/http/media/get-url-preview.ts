import { route } from '../route.js'
import { previewQuery } from './get-url-preview-authed.js'
import { mediaPaths } from './media-paths.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3preview_url */
export const getUrlPreview = route({
  id: 'getUrlPreview',
  method: 'GET',
  paths: mediaPaths('/preview_url'),
  auth: 'user',
  rateLimit: 'media',
  query: previewQuery,
  handler: ({ requester, query }, { previews }) => previews.preview(requester.userId, query.url, query.ts),
})
