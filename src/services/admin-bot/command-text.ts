import { createRequire } from 'node:module'
import type * as HtmlParser from 'htmlparser2'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'

const require = createRequire(import.meta.url)

/** UTF-16 units; more than any command has. */
const MAX_TEXT = 16_000
/** Users and rooms that a client names by links, such as `https://matrix.to/#/@anne:ministry.example`. */
const LINK = 'https://matrix.to/#/'
/** Quotations of what a message answers. */
const QUOTED = 'mx-reply'

/** The id that a link names; undefined for other links. */
function idIn(href: string | undefined): string | undefined {
  if (href?.startsWith(LINK) !== true) return undefined
  const encoded = href.slice(LINK.length).split('?', 1)[0]!
  try {
    const id = decodeURIComponent(encoded)
    return id.includes('/') ? undefined : id
  } catch {
    return undefined
  }
}

/** The text of a formatted message in which people and rooms stand by their ids: clients write their names. */
function fromHtml(html: string): string {
  let text = ''
  let silent = 0
  // Loaded for the first command: a node starts faster without it.
  const { Parser } = require('htmlparser2') as typeof HtmlParser
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (silent > 0 || name === QUOTED) {
          silent++
          return
        }
        if (name === 'br' || name === 'p') text += '\n'
        const id = name === 'a' ? idIn(attributes['href']) : undefined
        if (id === undefined) return
        text += id
        silent = 1
      },
      onclosetag() {
        if (silent > 0) silent--
      },
      ontext(part) {
        if (silent === 0 && text.length <= MAX_TEXT) text += part
      },
    },
    { decodeEntities: true },
  )
  parser.write(html)
  parser.end()
  return text
}

/** A body without the lines by which older clients repeat what it answers. */
function withoutQuote(body: string): string {
  if (!body.startsWith('> ')) return body
  const lines = body.split('\n')
  const first = lines.findIndex((line) => !line.startsWith('>'))
  return first === -1 ? '' : lines.slice(first).join('\n')
}

/** What somebody says to the bot; undefined for what is no message of a person, or an edited one. */
export function commandText(content: JsonObject): string | undefined {
  const relation = ownValue(content, 'm.relates_to')
  if (isObject(relation) && relation['rel_type'] === 'm.replace') return undefined
  const body = ownValue(content, 'body')
  if (ownValue(content, 'msgtype') !== 'm.text' || typeof body !== 'string') return undefined
  const html = ownValue(content, 'formatted_body')
  const isHtml =
    typeof html === 'string' &&
    ownValue(content, 'format') === 'org.matrix.custom.html' &&
    html.length <= MAX_TEXT &&
    html.includes(LINK)
  return (isHtml ? fromHtml(html) : withoutQuote(body)).slice(0, MAX_TEXT)
}

/** The event that a message answers. */
export function answeredEvent(content: JsonObject): string | undefined {
  const relation = ownValue(content, 'm.relates_to')
  const answered = isObject(relation) ? ownValue(relation, 'm.in_reply_to') : undefined
  const id = isObject(answered) ? ownValue(answered, 'event_id') : undefined
  return typeof id === 'string' ? id : undefined
}
