import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav1create */
export const createContent = route({
  id: 'createContent',
  method: 'POST',
  paths: ['/_matrix/media/v1/create'],
  auth: 'user',
  rateLimit: 'media',
  // The body has no fields; whatever a client sends there is read and left alone.
  body: 'object',
  async handler({ requester }, { media }) {
    const { contentUri, expiresTs } = await media.create(requester.userId)
    return { content_uri: contentUri, unused_expires_at: expiresTs }
  },
})
