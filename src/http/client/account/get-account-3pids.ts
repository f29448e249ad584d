import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid */
export const getAccount3Pids = route({
  id: 'getAccount3PIDs',
  method: 'GET',
  paths: v3('/account/3pid'),
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester }, { threepids }) {
    const rows = await threepids.list(requester.userId)
    return {
      threepids: rows.map((row) => ({
        medium: row.medium,
        address: row.address,
        validated_at: row.validated_ts,
        added_at: row.added_ts,
      })),
    }
  },
})
