import { Type } from 'typebox'
import { reply, route, type Reply } from '../../route.js'
import { readForm } from '../form.js'
import { escapeHtml, htmlPage } from '../page.js'

const PATHS = ['/_chancery/email/confirm']
/** Who says yes lets whoever asked go on, so it must be plain for what. */
const WISH = {
  register: 'to make an account with it',
  add: 'to add it to your account',
  reset: '<strong>for a new password</strong> for your account',
} as const

/**
 * The page that a link in a mail opens. It only asks: programs that look into mails for malice open links too, and must not confirm
 * anything for the person.
 */
export const getConfirmEmail = route({
  id: 'getConfirmEmail',
  method: 'GET',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({
    sid: Type.Optional(Type.String({ maxLength: 255 })),
    token: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  async handler({ query }, { threepids }) {
    const { sid = '', token = '' } = query
    const link = await threepids.opened(sid, token)
    if (link === undefined) return deadLinkPage()
    return htmlPage({
      title: 'Confirm your e-mail address',
      content:
        `<p>Is <strong>${escapeHtml(link.address)}</strong> your address, and did you ask ${WISH[link.purpose]}?</p>` +
        '<p>If you did not, close this window: somebody else did.</p>' +
        '<form method="post">' +
        `<input type="hidden" name="sid" value="${escapeHtml(sid)}">` +
        `<input type="hidden" name="token" value="${escapeHtml(token)}">` +
        '<p><button type="submit">Yes, confirm</button></p></form>',
      ...(link.nextLink === undefined ? {} : { formTarget: new URL(link.nextLink).origin }),
    })
  },
})

/** The person has pressed the button. */
export const postConfirmEmail = route({
  id: 'postConfirmEmail',
  method: 'POST',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'registration',
  body: 'stream',
  async handler({ request }, { threepids }): Promise<Reply> {
    const form = await readForm(request)
    const link = await threepids.confirm(form.get('sid') ?? '', form.get('token') ?? '')
    if (link === undefined) return deadLinkPage()
    if (link.nextLink !== undefined)
      return reply({ status: 303, headers: { Location: link.nextLink, 'Referrer-Policy': 'no-referrer' } })
    return htmlPage({
      title: 'Confirmed',
      content: '<p>Your address is confirmed. You can close this window and go on in your client.</p>',
    })
  },
})

const deadLinkPage = (): Reply =>
  htmlPage({
    status: 400,
    title: 'Not possible',
    content:
      '<p>This link is not valid, or no longer, or it was used. If you have confirmed your address just now, go on in your client; ' +
      'else ask there for a new message.</p>',
  })
