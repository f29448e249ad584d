import { Type } from 'typebox'
import { route, type Reply } from '../../route.js'
import { readForm } from '../form.js'
import { escapeHtml, htmlPage } from '../page.js'

const PATHS = ['/_chancery/email/unsubscribe']

const deadLinkPage = (): Reply =>
  htmlPage({
    status: 400,
    title: 'Not possible',
    content: '<p>This link is not valid, or no longer: no mail is sent because of it.</p>',
  })

/** The page that the link at the end of a mail opens. It only asks: programs open links too. */
export const getUnsubscribe = route({
  id: 'getUnsubscribe',
  method: 'GET',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'public',
  query: Type.Object({ token: Type.Optional(Type.String({ maxLength: 255 })) }),
  async handler({ query: { token = '' } }, { pushers }) {
    const target = await pushers.unsubscribeTarget(token)
    if (target === undefined) return deadLinkPage()
    return htmlPage({
      title: 'End mail about unread messages',
      content:
        `<p>Shall <strong>${escapeHtml(target.address)}</strong> get no more mail about unread messages?</p>` +
        '<form method="post">' +
        `<input type="hidden" name="token" value="${escapeHtml(token)}">` +
        '<p><button type="submit">Yes, end it</button></p></form>',
    })
  },
})

/**
 * The person has pressed the button, of the page or of their mail program, which has nothing but the link.
 * SPEC: https://www.rfc-editor.org/rfc/rfc8058#section-3.1
 */
export const postUnsubscribe = route({
  id: 'postUnsubscribe',
  method: 'POST',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'public',
  query: Type.Object({ token: Type.Optional(Type.String({ maxLength: 255 })) }),
  body: 'stream',
  async handler({ request, query }, { pushers }): Promise<Reply> {
    const form = await readForm(request)
    const isOneClick = form.get('List-Unsubscribe') === 'One-Click'
    const token = form.get('token') ?? (isOneClick ? query.token : undefined) ?? ''
    if (!(await pushers.unsubscribe(token))) return deadLinkPage()
    return htmlPage({
      title: 'Done',
      content: '<p>No more mail about unread messages is sent to this address.</p>',
    })
  },
})
