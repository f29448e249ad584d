import type { Reply } from '../../route.js'
import { escapeHtml, htmlPage } from '../page.js'

/** What the specification wants a page to run once the stage is passed. */
const DONE_SCRIPT =
  'if (window.onAuthDone) { window.onAuthDone() } ' +
  'else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*") }'

const FIELDS: ReadonlyMap<string, string> = new Map([
  [
    'm.login.registration_token',
    '<p><label>Registration token <input name="token" maxlength="64" autocomplete="off" required></label></p>',
  ],
  [
    'm.login.email.identity',
    '<p><label>E-mail address <input name="email" type="email" maxlength="254" required></label></p>',
  ],
])

const words = (fault: string | undefined): string =>
  fault === undefined ? '' : `<p class="fault">${escapeHtml(fault)}</p>`

const hidden = (name: string, value: string): string =>
  `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`

const form = (inside: string): string =>
  `<form method="post">${inside}<p><button type="submit">Continue</button></p></form>`

/** The form of a stage. `fault`: what was wrong with the last attempt. */
export const stagePage = (stage: string, session: string, fault?: string): Reply =>
  htmlPage({
    status: fault === undefined ? 200 : 401,
    title: 'Confirm',
    content: words(fault) + form(hidden('session', session) + (FIELDS.get(stage) ?? '')),
  })

/** After a mail was asked for. `sid`: the session of the address. */
export const mailSentPage = (session: string, sid: string, fault?: string): Reply =>
  htmlPage({
    status: fault === undefined ? 200 : 401,
    title: 'Look into your mail',
    content:
      words(fault) +
      '<p>A message was sent to the address. Open the link in it, then continue here.</p>' +
      form(hidden('session', session) + hidden('sid', sid)),
  })

export const donePage = (): Reply =>
  htmlPage({
    title: 'Done',
    content: '<p>You can close this window and go on in your client.</p>',
    script: DONE_SCRIPT,
  })

export const overPage = (): Reply =>
  htmlPage({
    status: 400,
    title: 'Not possible',
    content: '<p>This session is over. Please begin again in your client.</p>',
  })
