import { Type } from 'typebox'
import { route } from '../route.js'
import { mediaPaths } from './media-paths.js'
import { uploadRequest } from './upload-request.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixmediav3uploadservernamemediaid */
export const uploadContentToMXC = route({
  id: 'uploadContentToMXC',
  method: 'PUT',
  paths: mediaPaths('/upload/{serverName}/{mediaId}'),
  auth: 'user',
  rateLimit: 'media',
  query: Type.Object({ filename: Type.Optional(Type.String()) }),
  body: 'stream',
  async handler({ requester, params, query, request }, { media }) {
    const upload = uploadRequest(requester, request, query.filename)
    await media.uploadTo(params['serverName']!, params['mediaId']!, upload)
    return {}
  },
})
