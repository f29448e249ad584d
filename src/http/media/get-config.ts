import { route } from '../route.js'
import { mediaPaths } from './media-paths.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3config */
export const getConfig = route({
  id: 'getConfig',
  method: 'GET',
  paths: mediaPaths('/config'),
  auth: 'guest',
  rateLimit: 'read',
  async handler(_, { media }) {
    return { 'm.upload.size': media.maxUploadBytes }
  },
})
