import { describe, expect, it } from '@jest/globals'
import { COMMAND_NAMES } from '../../core/admin-commands/commands.js'
import { blockOf, helpFor, messageOf } from './answers.js'

const bytes = (content: object): number => Buffer.byteLength(JSON.stringify(content))

describe('an answer of the administration bot', () => {
  it('is words and a block of code, in answer to a message, and rings nobody', () => {
    const block = blockOf({ user_id: '@a:b.example', emails: [] })
    expect(messageOf({ words: 'Done.', block }, '$asked')).toEqual({
      msgtype: 'm.notice',
      body: 'Done.\n\n```\nuser_id: "@a:b.example"\nemails: []\n```',
      format: 'org.matrix.custom.html',
      formatted_body: '<p>Done.</p><pre><code>user_id: &quot;@a:b.example&quot;\nemails: []</code></pre>',
      'm.mentions': {},
      'm.relates_to': { 'm.in_reply_to': { event_id: '$asked' } },
    })
    expect(blockOf({})).toBeUndefined()
  })

  it('shows markup of others as it stands, and nothing that is not seen', () => {
    const { body, formatted_body: html } = messageOf({ words: '<b>\u202Eevil\u200b\u0007 & @room' }, '$x')
    expect(body).toBe('<b>evil & @room')
    expect(html).toBe('<p>&lt;b&gt;evil &amp; @room</p>')
    expect(blockOf({ name: '</code><script>' })).toBe('name: </code><script>')
    const shown = messageOf({ words: 'x', block: blockOf({ name: '</code><script>' }) }, '$x')
    expect(shown['formatted_body']).not.toContain('<script>')
  })

  it.each(['x', '&', 'é', '😀', '"', '\n'])('fits into an event whatever there is to show (%j)', (part) => {
    const details = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`k${n}`, part.repeat(200)]))
    const content = messageOf({ words: part.repeat(50_000), block: blockOf(details) }, '$x')
    expect(bytes(content)).toBeLessThan(60_000)
    expect(content['body']).toMatch(/bytes more: ask by HTTP/)
  })

  it('lists all commands as help', () => {
    const { block } = helpFor(undefined)
    for (const name of COMMAND_NAMES) expect(block).toContain(`!${name}`)
    expect(bytes(messageOf(helpFor(undefined), '$x'))).toBeLessThan(20_000)
    expect(helpFor('account_validity').words).toMatch(/asks for a code with UNTIL/)
  })
})
