import { stringify } from 'yaml'
import {
  ADMIN_COMMANDS,
  COMMAND_NAMES,
  usageOf,
  type AdminCommand,
  type CommandName,
} from '../../core/admin-commands/commands.js'
import type { JsonObject } from '../../core/json/value.js'

/** What the bot says: a sentence, and what there is to show in a block of code. */
export interface Answer {
  readonly words: string
  readonly block?: string | undefined
}

/** Bytes of one answer's block of code. */
const MAX_DETAILS = 16_000
const MAX_WORDS = 4_500
/** Of a message's content: an event has 64 KiB. */
const MAX_CONTENT = 58_000

/** Without characters that are not seen, by which a name could make a sentence read as another one. */
const visible = (text: string): string => text.replaceAll(/\p{Cf}|[^\P{Cc}\n\t]/gu, '').slice(0, MAX_WORDS)

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** What there is to show, cut to what one message takes. */
export function blockOf(details: JsonObject): string | undefined {
  if (Object.keys(details).length === 0) return undefined
  // What is cut in any case is not worth the time that readable text takes.
  const json = JSON.stringify(details, null, 1)
  const text = json.length > 4 * MAX_DETAILS ? json : stringify(details, { lineWidth: 0 }).trimEnd()
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_DETAILS) return text
  const cut = bytes
    .subarray(0, MAX_DETAILS)
    .toString()
    .replace(/\ufffd+$/, '')
  return `${cut.slice(0, cut.lastIndexOf('\n') + 1)}… and ${bytes.length - MAX_DETAILS} bytes more: ask by HTTP`
}

/** The content of a message in answer to another. `mentioned`: who is to look at it at once. */
export function messageOf(
  { words, block }: Answer,
  answered: string,
  mentioned: readonly string[] = [],
): JsonObject {
  const said = visible(words)
  const html = `<p>${escaped(said).replaceAll('\n', '<br>')}</p>`
  const plain = {
    msgtype: 'm.notice',
    body: block === undefined ? said : `${said}\n\n\`\`\`\n${block}\n\`\`\``,
    'm.mentions': mentioned.length === 0 ? {} : { user_ids: [...mentioned] },
    'm.relates_to': { 'm.in_reply_to': { event_id: answered } },
  }
  const formatted = {
    ...plain,
    format: 'org.matrix.custom.html',
    formatted_body: block === undefined ? html : `${html}<pre><code>${escaped(block)}</code></pre>`,
  }
  return Buffer.byteLength(JSON.stringify(formatted)) > MAX_CONTENT ? plain : formatted
}

const mark = ({ confirmed }: AdminCommand): string =>
  confirmed === 'always'
    ? ' (asks for a code)'
    : confirmed === 'never'
      ? ''
      : ` (asks for a code with ${confirmed.with.toUpperCase()})`

/** The commands, or one of them. */
export function helpFor(command: CommandName | undefined): Answer {
  if (command !== undefined)
    return {
      words: `!${usageOf(command)}: ${ADMIN_COMMANDS[command].summary}${mark(ADMIN_COMMANDS[command])}.`,
    }
  const commands = COMMAND_NAMES.map((name): [string, string] => [
    `!${usageOf(name)}`,
    `${ADMIN_COMMANDS[name].summary}${mark(ADMIN_COMMANDS[name])}`,
  ])
  return {
    words:
      'USER is a user id, a user name or an e-mail address. What asks for a code waits for the six digits of your authenticator, as a message of their own; !cancel gives it up.',
    block: blockOf(Object.fromEntries(commands)),
  }
}
