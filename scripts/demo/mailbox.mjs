/** All mailboxes of the demo: a mail server that delivers nothing, and a page that shows what it was given. */
import { createServer } from 'node:http'

const KEPT = 200
const PATIENCE_MS = 60_000
const LOOK_MS = 50

const escapeHtml = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** The text with its links to be pressed. */
const withLinks = (text) =>
  escapeHtml(text).replaceAll(/https?:\/\/[^\s<]+/g, (link) => `<a href="${link}">${link}</a>`)

function page(mails) {
  const articles = mails
    .toReversed()
    .map(
      ({ number, at, to, from, text }) =>
        `<article id="${number}"><p><strong>to ${escapeHtml(to.join(', '))}</strong>, from ${escapeHtml(from)}, ` +
        `${at.toISOString().slice(0, 19).replace('T', ' ')}</p><pre>${withLinks(text)}</pre></article>`,
    )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Mail of the demo</title>
<style>body{font:16px sans-serif;max-width:50em;margin:2em auto;padding:0 1em}pre{white-space:pre-wrap;background:#8882;padding:1em}</style>
<h1>Mail of the demo</h1><p>Everybody's; nothing leaves this machine. Latest first.</p>
${articles.join('\n') || '<p>None yet.</p>'}</html>`
}

/** Takes mail at `mailPort`, shows it at `pagePort`; `say` gets a line for each. */
export async function openMailbox({ mailPort, pagePort, say }) {
  const { startMailServer } = await import('../../dist/services/mail/testing-smtp.js')
  const server = await startMailServer({ tls: 'off', port: mailPort })
  const url = `http://127.0.0.1:${pagePort}/`
  const kept = []
  let open = true

  void (async () => {
    for (let number = 0; open; number++) {
      const { to, from, text } = await server.mail(number)
      kept.push({ number, at: new Date(), to, from, text })
      if (kept.length > KEPT) kept.shift()
      say(`mail to ${to.join(', ')}: ${url}#${number}`)
    }
  })()

  const web = createServer((request, response) => {
    const isPage = request.url === '/' && request.method === 'GET'
    response.writeHead(isPage ? 200 : 404, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    })
    response.end(isPage ? page(kept) : 'There is one page here: /')
  })
  await new Promise((resolve, reject) => {
    web.once('error', reject)
    web.listen(pagePort, '127.0.0.1', resolve)
  })

  return {
    url,
    /** How many came until now. */
    count: () => server.mails.length,
    /** The text of the first mail to an address from number `since` on that `fits`; waits for it. */
    async mailTo(address, since, fits = () => true) {
      const end = performance.now() + PATIENCE_MS
      for (;;) {
        const mail = server.mails.slice(since).find(({ to, text }) => to.includes(address) && fits(text))
        if (mail !== undefined) return mail.text
        if (performance.now() > end) throw new Error(`no such mail came to ${address}`)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      }
    },
    async close() {
      open = false
      web.closeAllConnections()
      await Promise.all([new Promise((resolve) => web.close(resolve)), server.close()])
    },
  }
}
