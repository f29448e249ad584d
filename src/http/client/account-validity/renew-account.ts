import { Type } from 'typebox'
import type { Renewal } from '../../../services/account-validity/account-validity.js'
import { route, type Reply } from '../../route.js'
import { readForm } from '../form.js'
import { escapeHtml, htmlPage } from '../page.js'
import { offered } from './offered.js'

const PATHS = [
  '/_matrix/client/unstable/account_validity/renew',
  '/_synapse/client/email_account_validity/renew',
]

/**
 * NOTSPEC: the page that the link in a mail opens. It only asks, unlike others of its kind: programs that look into mails for malice open links too, and would
 * keep accounts of people who left alive.
 */
export const getRenewAccount = route({
  id: 'getRenewAccount',
  method: 'GET',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ token: Type.Optional(Type.String({ maxLength: 255 })) }),
  async handler({ query: { token = '' } }, { accountValidity }) {
    const renewal = await offered(accountValidity).look(token)
    if (renewal === undefined) return deadLinkPage()
    if (renewal.isUsed) return usedPage(renewal)
    return htmlPage({
      title: 'Renew your account',
      content:
        `<p>Do you still need the account <strong>${escapeHtml(renewal.userId)}</strong>?</p>` +
        '<form method="post">' +
        `<input type="hidden" name="token" value="${escapeHtml(token)}">` +
        '<p><button type="submit">Yes, renew it</button></p></form>',
    })
  },
})

/** The person has pressed the button. */
export const postRenewAccount = route({
  id: 'postRenewAccount',
  method: 'POST',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'registration',
  body: 'stream',
  async handler({ request }, { accountValidity }): Promise<Reply> {
    const form = await readForm(request)
    const renewal = await offered(accountValidity).renew(form.get('token') ?? '')
    if (renewal === undefined) return deadLinkPage()
    if (renewal.isUsed) return usedPage(renewal)
    return htmlPage({
      title: 'Renewed',
      content: `<p>Your account is renewed until ${dayOf(renewal)}. You can close this window.</p>`,
    })
  },
})

const dayOf = ({ expiresTs }: Renewal): string => new Date(expiresTs).toISOString().slice(0, 10)

const usedPage = (renewal: Renewal): Reply =>
  htmlPage({
    title: 'Renewed already',
    content: `<p>Your account was renewed with this message, or with another one, and lasts until ${dayOf(renewal)}.</p>`,
  })

const deadLinkPage = (): Reply =>
  htmlPage({
    status: 404,
    title: 'Not possible',
    content:
      '<p>This link is not valid, or no longer. Ask for a new message in your client, or an administrator to renew your account.</p>',
  })
