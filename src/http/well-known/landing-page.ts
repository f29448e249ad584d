import { createHash } from 'node:crypto'
import type { Health, NodeInfoOptions } from '../../services/node-info.js'

const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem } dt { color: #555 } dd { margin: 0 }
code { font: .95em ui-monospace, monospace; background: #f0f0f0; padding: .1rem .3rem; border-radius: .2rem; overflow-wrap: anywhere }
li { margin: .4rem 0 } .state { font-weight: 600 } .ok { color: #156b2e } .bad { color: #a11212 }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #16181b } dt { color: #aaa } code { background: #2a2d31 } .ok { color: #6fcf8b } .bad { color: #ff8a8a }
}`

/** Nothing may be loaded or run but this one style. */
export const LANDING_CSP = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char]!)

const FEDERATION: Readonly<Record<NodeInfoOptions['federation'], string>> = {
  open: 'Open: its users can talk to people on every Matrix server.',
  closed: 'Closed: its users can talk to people on a list of known servers.',
  off: 'Off: its users can talk to each other only.',
}

/** Such a name means another machine to every other server. */
const isOfThisMachine = (serverName: string): boolean =>
  /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(serverName)

function federationOf(about: NodeInfoOptions): string {
  if (about.federation === 'off' || !isOfThisMachine(about.serverName)) return FEDERATION[about.federation]
  return 'This machine only: the name of this server means nothing to servers elsewhere.'
}

const REGISTRATION: Readonly<Record<NodeInfoOptions['registration'], string>> = {
  open: 'Open: anybody may make an account.',
  token: 'By token: whoever has a registration token from the administrators may make an account.',
  closed: 'Closed: the administrators make accounts.',
}

function accountStep(about: NodeInfoOptions): string {
  if (about.registration === 'open')
    return 'If you have no account yet, choose “Create account” there. Otherwise sign in'
  if (about.registration === 'token') {
    return 'If you have no account yet, choose “Create account” and enter your registration token. Otherwise sign in'
  }
  return 'Sign in'
}

/** The page at `/`: what this node is, whether it works, and how to connect. Complete in itself. */
export function landingPage(about: NodeInfoOptions, health: Health): string {
  const name = escapeHtml(about.serverName)
  const address =
    about.publicBaseurl === undefined
      ? 'the address of this page, as your browser shows it'
      : `<code>${escapeHtml(about.publicBaseurl)}</code>`
  const state = health.ok
    ? '<p class="state ok">This server works.</p>'
    : '<p class="state bad">This server is running, but its storage does not answer. Please tell its administrators.</p>'
  const contact =
    about.adminContact === undefined ? '' : `<dt>Help</dt><dd>${escapeHtml(about.adminContact)}</dd>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${name}</h1>
<p>A Matrix homeserver, for encrypted messages and calls within and between organisations.</p>
${state}
<dl>
<dt>Server name</dt><dd><code>${name}</code></dd>
<dt>Software</dt><dd>Chancery ${escapeHtml(about.version)}</dd>
<dt>Federation</dt><dd>${federationOf(about)}</dd>
<dt>Registration</dt><dd>${REGISTRATION[about.registration]}</dd>
${contact}
</dl>
<h2>How to connect</h2>
<ol>
<li>Open a Matrix client, on the web, a computer or a telephone: Element, Cinny, or another one.</li>
<li>Where it asks for a homeserver (in Element: “Sign in”, then “Edit” beside the homeserver), enter ${address}.</li>
<li>${accountStep(about)} with your user name and password.</li>
<li>Your address, to give to others, is <code>@<var>username</var>:${name}</code>.</li>
<li>When the client offers to set up a recovery key or secure backup, accept, and keep the key in a safe place: with it you can read your encrypted messages on a new device.</li>
</ol>
</body>
</html>
`
}
