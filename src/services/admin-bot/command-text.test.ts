import { describe, expect, it } from '@jest/globals'
import { answeredEvent, commandText } from './command-text.js'

const text = (body: string, more: Record<string, unknown> = {}) =>
  commandText({ msgtype: 'm.text', body, ...more } as never)
const html = (formatted_body: string) => ({ format: 'org.matrix.custom.html', formatted_body })

describe('what is said to the bot', () => {
  it('is the body of a text', () => {
    expect(text('!lock anne')).toBe('!lock anne')
    expect(text('!lock anne', html('!lock <b>bob</b>'))).toBe('!lock anne')
    expect(commandText({ msgtype: 'm.notice', body: '!lock anne' })).toBeUndefined()
    expect(commandText({ body: '!lock anne' })).toBeUndefined()
    expect(
      text('* !lock anne', { 'm.relates_to': { rel_type: 'm.replace', event_id: '$x' } }),
    ).toBeUndefined()
  })

  it('names people and rooms by their ids where a client made links of them', () => {
    const pill = (id: string, name: string): string => `<a href="https://matrix.to/#/${id}">${name}</a>`
    expect(text('!lock Anne', html(`!lock ${pill('@anne:a.example', 'Anne <b>D</b>')}`))).toBe(
      '!lock @anne:a.example',
    )
    expect(text('!x', html(`!room_state ${pill('%23hall%3Aa.example?via=b', 'Hall')} m.room.topic`))).toBe(
      '!room_state #hall:a.example m.room.topic',
    )
    expect(text('!x', html(`!lock ${pill('@a%', 'x')}`))).toBe('!lock x')
    expect(text('!x', html(`a &amp; b ${pill('@a:b', 'c')}`))).toBe('a & b @a:b')
  })

  it('is said without what it answers', () => {
    expect(text('> <@bot:a> give the code\n> now\n\n123456')).toBe('\n123456')
    const reply =
      '<mx-reply><blockquote><a href="https://matrix.to/#/!r/$e">In reply to</a>x</blockquote></mx-reply>'
    expect(text('!x', html(`${reply}123456`))).toBe('123456')
    expect(answeredEvent({ 'm.relates_to': { 'm.in_reply_to': { event_id: '$p' } } })).toBe('$p')
    expect(answeredEvent({ 'm.relates_to': { 'm.in_reply_to': [] } })).toBeUndefined()
  })

  it('is bounded', () => {
    expect(text('x'.repeat(60_000))).toHaveLength(16_000)
    expect(text('> '.repeat(30_000))).toBe('')
  })
})
