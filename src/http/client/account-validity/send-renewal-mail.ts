import { route } from '../../route.js'
import { offered } from './offered.js'

/** NOTSPEC: a mail with a link that renews the account, by both of the paths that clients know. */
export const sendRenewalMail = route({
  id: 'sendRenewalMail',
  method: 'POST',
  paths: [
    '/_matrix/client/unstable/account_validity/send_mail',
    '/_synapse/client/email_account_validity/send_mail',
  ],
  auth: 'user',
  rateLimit: 'write',
  allowExpired: true,
  async handler({ requester }, { accountValidity }) {
    await offered(accountValidity).sendMail(requester.userId)
    return {}
  },
})
