import { Type } from 'typebox'
import { invalidParam } from '../../core/errors.js'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/experimental_features/{userId}'

/** Features that can be switched for single users: there are none, as what is there is there for everybody. */
export const adminGetFeatures = adminRoute({
  id: 'adminGetFeatures',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  async handler({ params }, { administration }) {
    await administration.users.checkExists(params['userId']!)
    return { features: {} }
  },
})

export const adminPutFeatures = adminRoute({
  id: 'adminPutFeatures',
  method: 'PUT',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object({ features: Type.Record(Type.String(), Type.Boolean()) }),
  async handler({ params, body }, { administration }) {
    await administration.users.checkExists(params['userId']!)
    const [name] = Object.keys(body.features)
    if (name !== undefined)
      throw invalidParam('There is no feature of this name that can be switched for a single user')
    return {}
  },
})
