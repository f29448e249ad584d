import { createHash } from 'node:crypto'
import { reply, type Reply } from '../route.js'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:3em auto;padding:0 1em}' +
  'input,button{font:inherit;padding:.4em .8em}.fault{color:#a00}'

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const STYLE_HASH = hashOf(STYLE)

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

export interface Page {
  readonly status?: number
  readonly title: string
  /** HTML; what others wrote in it is escaped. */
  readonly content: string
  /** The only script that may run, put at the end of the page. */
  readonly script?: string
  /** Whether the script may ask this server something. */
  readonly connects?: boolean
  /** An origin that the form's answer may redirect to, besides this server. */
  readonly formTarget?: string
}

/** A page for a person. Nothing is loaded from elsewhere, nothing may frame it, and only our own texts are style and script. */
export function htmlPage({ status = 200, title, content, script, connects, formTarget }: Page): Reply {
  const scriptSource = script === undefined ? '' : `script-src ${hashOf(script)}; `
  const connect = connects === true ? "connect-src 'self'; " : ''
  const target = formTarget === undefined ? '' : ` ${formTarget}`
  return reply({
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy':
        `default-src 'none'; ${scriptSource}${connect}style-src ${STYLE_HASH}; ` +
        `form-action 'self'${target}; base-uri 'none'; frame-ancestors 'none'`,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    },
    body:
      '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
      '<meta name="viewport" content="width=device-width, initial-scale=1">' +
      `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>` +
      `<body><h1>${escapeHtml(title)}</h1>${content}` +
      `${script === undefined ? '' : `<script>${script}</script>`}</body></html>`,
  })
}
