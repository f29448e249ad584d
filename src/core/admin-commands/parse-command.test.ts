import { describe, expect, it } from '@jest/globals'
import { ADMIN_COMMANDS, COMMAND_NAMES, needsConfirmation, usageOf } from './commands.js'
import { codeIn, MAX_LINE, namedArguments, parseChatLine } from './parse-command.js'

const parsed = (line: string) => {
  const read = parseChatLine(line)
  return read.kind === 'command' ? { [read.command]: Object.fromEntries(read.arguments) } : read
}

describe('a line for the administration bot', () => {
  it.each([
    ['!ping', { ping: {} }],
    ['  !LOCK @anne:a.example ', { lock: { user: '@anne:a.example' } }],
    ['!deactivate anne erase', { deactivate: { user: 'anne', erase: 'erase' } }],
    ['!deactivate anne', { deactivate: { user: 'anne' } }],
    ['!add_email anne anne@a.example', { add_email: { user: 'anne', email: 'anne@a.example' } }],
    [
      '!replace_email anne@a.example anne@a.example anne@b.example',
      { replace_email: { user: 'anne@a.example', old: 'anne@a.example', new: 'anne@b.example' } },
    ],
    [
      '!replace_displayname anne   Anne "the" Dupont  [Finances]',
      { replace_displayname: { user: 'anne', name: 'Anne "the" Dupont  [Finances]' } },
    ],
    ['!room_state #a:b m.room.topic', { room_state: { room: '#a:b', type: 'm.room.topic' } }],
    ['!account_validity anne 2027-06-30', { account_validity: { user: 'anne', until: '2027-06-30' } }],
    [
      '!server_notice @a:x,@b:x At noon\nthe node is down',
      { server_notice: { to: '@a:x,@b:x', text: 'At noon\nthe node is down' } },
    ],
    ['!lock "anne"', { lock: { user: 'anne' } }],
    ['!help', { kind: 'help', command: undefined }],
    ['!help lock', { kind: 'help', command: 'lock' }],
    ['!', { kind: 'help', command: undefined }],
    ['!cancel', { kind: 'cancel' }],
    ['hello !lock anne', { kind: 'talk' }],
    ['', { kind: 'talk' }],
    ['123 456', { kind: 'code', code: '123456' }],
  ])('%j is read', (line, expected) => {
    expect(parsed(line)).toEqual(expected)
  })

  it.each([
    ['!lock', 'USER is missing. Usage: !lock USER'],
    ['!lock a b', 'There is more than the command takes. Usage: !lock USER'],
    ['!deactivate anne forever', 'ERASE is the word `erase`. Usage: !deactivate USER [ERASE]'],
    ['!add_email anne nothing', /EMAIL is an e-mail address/],
    ['!room_details general', /ROOM is a room id or an alias/],
    ['!account_validity anne tomorrow', /UNTIL is a day such as/],
    ['!replace_displayname anne', /NAME is missing/],
    [`!lock ${'x'.repeat(256)}`, /USER is too long/],
    ['!constructor', /no such command/],
    ['!__proto__ x', /no such command/],
    [`!server_notice all ${'x'.repeat(MAX_LINE)}`, /too long/],
  ])('%.60j is refused in words', (line, message) => {
    const read = parseChatLine(line)
    expect(read.kind).toBe('fault')
    expect(read.kind === 'fault' && read.message).toMatch(message)
  })

  it('takes as long as the line is, whatever it is made of', () => {
    for (const part of ['"', ' ', '!', '1', '\u00a0', '"a'])
      expect(parseChatLine(`!lock ${part.repeat(200_000)}`).kind).toBe('fault')
    expect(codeIn(' '.repeat(200_000))).toBeUndefined()
  })
})

describe('a code', () => {
  it.each([
    ['123456', '123456'],
    [' 123456\n', '123456'],
    ['123\u00a0456', '123456'],
    ['12345', undefined],
    ['1234567', undefined],
    ['123-456', undefined],
    ['١٢٣٤٥٦', undefined],
    ['code 123456', undefined],
  ])('%j', (text, code) => {
    expect(codeIn(text)).toBe(code)
  })
})

describe('arguments by name', () => {
  it('are read as those of a line', () => {
    expect(namedArguments('add_email', { user: 'anne', email: 'a@b.example', other: 'x' })).toEqual({
      arguments: new Map([['user', 'anne'], ['email', 'a@b.example']]), // prettier-ignore
    })
    expect(namedArguments('add_email', { user: 'anne' })).toEqual({ fault: 'email is missing' })
    expect(namedArguments('lock', { user: 'a b' })).toEqual({
      fault: 'USER is a user id, a user name or an e-mail address',
    })
    expect(namedArguments('lock', { user: '' })).toHaveProperty('fault')
  })
})

describe('the commands', () => {
  it('are the sixteen that administrators know, and two more', () => {
    expect(COMMAND_NAMES.toSorted()).toEqual([
      'account_validity', 'add_email', 'deactivate', 'lock', 'log_out', 'memberships', 'ping', 'reactivate', 'remove_email',
      'remove_room', 'replace_displayname', 'replace_email', 'reset_password', 'room_details', 'room_state', 'server_notice',
      'unlock', 'user',
    ]) // prettier-ignore
  })

  it('have what may be left out at the end, and several words last', () => {
    for (const name of COMMAND_NAMES) {
      const kinds = ADMIN_COMMANDS[name].arguments.map((argument) => ('isOptional' in argument ? 1 : 0))
      expect([name, kinds]).toEqual([name, kinds.toSorted((a, b) => a - b)])
      const words = ADMIN_COMMANDS[name].arguments.findIndex(({ kind }) => kind === 'words')
      expect(words === -1 || words === ADMIN_COMMANDS[name].arguments.length - 1).toBe(true)
      expect(usageOf(name)).toMatch(new RegExp(`^${name}( [A-Z]+)*( \\[[A-Z]+\\])*$`))
    }
  })

  it('ask for a second factor where they cannot be undone, give access or speak to many', () => {
    const bare = COMMAND_NAMES.filter((name) => !needsConfirmation(name, new Map()))
    expect(bare.toSorted()).toEqual(['account_validity', 'lock', 'memberships', 'ping', 'room_details', 'room_state', 'user']) // prettier-ignore
    expect(needsConfirmation('account_validity', new Map([['until', 'renew']]))).toBe(true)
  })
})
