import { adminRoute } from './admin-route.js'

/** What somebody's clients keep on the server. */
export const adminUserAccountData = adminRoute({
  id: 'adminUserAccountData',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/{userId}/accountdata'],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) => ({
    account_data: await administration.userData.accountData(params['userId']!),
  }),
})
