import { createHash } from 'node:crypto'
import { reply, type Reply } from '../../route.js'

/** What the specification wants a page to run once the stage is passed. */
const DONE_SCRIPT =
  'if (window.onAuthDone) { window.onAuthDone() } ' +
  'else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*") }'
const DONE_HASH = createHash('sha256').update(DONE_SCRIPT).digest('base64')

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:3em auto;padding:0 1em}' +
  'input,button{font:inherit;padding:.4em .8em}.fault{color:#a00}'
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text made safe between tags and inside quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!)

/** Nothing is loaded from elsewhere, nothing may frame the page, and only our own two texts are style and script. */
function page(status: number, title: string, content: string): Reply {
  return reply({
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy':
        `default-src 'none'; script-src 'sha256-${DONE_HASH}'; style-src 'sha256-${STYLE_HASH}'; ` +
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    },
    body:
      '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
      '<meta name="viewport" content="width=device-width, initial-scale=1">' +
      `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>` +
      `<body><h1>${escapeHtml(title)}</h1>${content}</body></html>`,
  })
}

/** The form of a stage. `fault`: what was wrong with the last attempt. */
export function stagePage(stage: string, session: string, fault?: string): Reply {
  const words = fault === undefined ? '' : `<p class="fault">${escapeHtml(fault)}</p>`
  const field =
    stage === 'm.login.registration_token'
      ? '<p><label>Registration token <input name="token" maxlength="64" autocomplete="off" required></label></p>'
      : ''
  return page(
    fault === undefined ? 200 : 401,
    'Confirm',
    `${words}<form method="post"><input type="hidden" name="session" value="${escapeHtml(session)}">` +
      `${field}<p><button type="submit">Continue</button></p></form>`,
  )
}

export const donePage = (): Reply =>
  page(
    200,
    'Done',
    `<p>You can close this window and go on in your client.</p><script>${DONE_SCRIPT}</script>`,
  )

export const overPage = (): Reply =>
  page(400, 'Not possible', '<p>This session is over. Please begin again in your client.</p>')
