import { route, v1 } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediaconfig */
export const getConfigAuthed = route({
  id: 'getConfigAuthed',
  method: 'GET',
  paths: v1('/media/config'),
  auth: 'guest',
  rateLimit: 'read',
  async handler(_, { media }) {
    return { 'm.upload.size': media.maxUploadBytes }
  },
})
