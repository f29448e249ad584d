import { Type } from 'typebox'
import { route } from '../route.js'
import { mediaPaths } from './media-paths.js'
import { uploadRequest } from './upload-request.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload */
export const uploadContent = route({
  id: 'uploadContent',
  method: 'POST',
  paths: mediaPaths('/upload'),
  auth: 'user',
  rateLimit: 'media',
  query: Type.Object({ filename: Type.Optional(Type.String()) }),
  body: 'stream',
  async handler({ requester, query, request }, { media }) {
    return { content_uri: await media.upload(uploadRequest(requester, request, query.filename)) }
  },
})
