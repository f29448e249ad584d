import { canonicalEmail } from '../ids/email-address.js'

/** What an argument is: `user` an account of this server by id, localpart or address; `anybody` a user id; `words` the rest of the line. */
export type ArgumentKind =
  'user' | 'anybody' | 'email' | 'room' | 'type' | 'date' | 'audience' | 'words' | 'erase'

export interface CommandArgument {
  readonly name: string
  readonly kind: ArgumentKind
  /** Only the last ones may be left out. */
  readonly isOptional?: true
}

/**
 * When a second factor is asked for: always, where an argument is given, or never. It is for whatever gives somebody access or another name, takes
 * away what does not come back, or speaks to many. Locking an account needs to be quick, and is undone.
 */
export type Confirmed = 'always' | 'never' | { readonly with: string }

export interface AdminCommand {
  readonly summary: string
  readonly arguments: readonly CommandArgument[]
  readonly confirmed: Confirmed
}

const USER: CommandArgument = { name: 'user', kind: 'user' }
const EMAIL: CommandArgument = { name: 'email', kind: 'email' }
const ROOM: CommandArgument = { name: 'room', kind: 'room' }

/** What administrators may tell the administration bot, and ask for by HTTP. */
export const ADMIN_COMMANDS = {
  ping: { summary: 'whether the node is there', arguments: [], confirmed: 'never' },
  user: { summary: 'what there is to know of an account', arguments: [USER], confirmed: 'never' },
  memberships: {
    summary: 'the rooms that somebody is, was or is invited to be in',
    arguments: [{ name: 'user', kind: 'anybody' }],
    confirmed: 'never',
  },
  room_details: {
    summary: 'what a room is, and who is there, in numbers',
    arguments: [ROOM],
    confirmed: 'never',
  },
  room_state: {
    summary: 'the state events of a room, all or of one type',
    arguments: [ROOM, { name: 'type', kind: 'type', isOptional: true }],
    confirmed: 'never',
  },
  lock: { summary: 'nobody can use the account until it is unlocked', arguments: [USER], confirmed: 'never' },
  unlock: { summary: 'a locked account can be used again', arguments: [USER], confirmed: 'always' },
  log_out: { summary: 'ends all sessions of an account', arguments: [USER], confirmed: 'always' },
  reset_password: {
    summary: 'gives an account a password that the node makes up, and ends its sessions',
    arguments: [USER],
    confirmed: 'always',
  },
  deactivate: {
    summary: 'closes an account; with `erase` its profile and settings go too, and it stays closed',
    arguments: [USER, { name: 'erase', kind: 'erase', isOptional: true }],
    confirmed: 'always',
  },
  reactivate: {
    summary: 'opens a closed account again, with a password that the node makes up',
    arguments: [USER],
    confirmed: 'always',
  },
  account_validity: {
    summary: 'until when an account may be used; or sets that day, or with `renew` one period from now',
    arguments: [USER, { name: 'until', kind: 'date', isOptional: true }],
    confirmed: { with: 'until' },
  },
  add_email: { summary: 'gives an account an e-mail address', arguments: [USER, EMAIL], confirmed: 'always' },
  remove_email: {
    summary: 'takes an e-mail address from an account',
    arguments: [USER, EMAIL],
    confirmed: 'always',
  },
  replace_email: {
    summary: 'puts an e-mail address in the place of another',
    arguments: [USER, { name: 'old', kind: 'email' }, { name: 'new', kind: 'email' }],
    confirmed: 'always',
  },
  replace_displayname: {
    summary: 'sets the name that others see',
    arguments: [USER, { name: 'name', kind: 'words' }],
    confirmed: 'always',
  },
  server_notice: {
    summary:
      'tells people something in the name of the server: `all`, some user ids, or all of some servers, with commas between them',
    arguments: [
      { name: 'to', kind: 'audience' },
      { name: 'text', kind: 'words' },
    ],
    confirmed: 'always',
  },
  remove_room: {
    summary: 'everybody of this server leaves a room, and nobody comes in again',
    arguments: [ROOM],
    confirmed: 'always',
  },
} as const satisfies Readonly<Record<string, AdminCommand>>

export type CommandName = keyof typeof ADMIN_COMMANDS
export const COMMAND_NAMES = Object.keys(ADMIN_COMMANDS) as readonly CommandName[]

export const isCommandName = (name: string): name is CommandName => Object.hasOwn(ADMIN_COMMANDS, name)

/** The arguments of a command by their names. */
export type CommandArguments = ReadonlyMap<string, string>

export function needsConfirmation(command: CommandName, given: CommandArguments): boolean {
  const { confirmed }: AdminCommand = ADMIN_COMMANDS[command]
  return typeof confirmed === 'string' ? confirmed === 'always' : given.has(confirmed.with)
}

const MAX_ID = 255
export const MAX_WORDS = 4_000
/** An audience of a hundred user ids. */
const MAX_AUDIENCE = 100 * (MAX_ID + 1)
/** The longest argument of a kind, in UTF-16 units. */
export const maxLength = (kind: ArgumentKind): number =>
  kind === 'words' ? MAX_WORDS : kind === 'audience' ? MAX_AUDIENCE : kind === 'email' ? 500 : MAX_ID

const isPlain = (value: string): boolean => !/[\s\p{Cc}]/u.test(value)

const TAKES: Readonly<Record<ArgumentKind, (value: string) => boolean>> = {
  user: isPlain,
  anybody: (value) => isPlain(value) && value.startsWith('@'),
  email: (value) => canonicalEmail(value) !== undefined,
  room: (value) => isPlain(value) && (value.startsWith('!') || value.startsWith('#')),
  type: isPlain,
  date: (value) => value === 'renew' || /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value),
  audience: isPlain,
  words: (value) => !value.includes('\0') && value.trim() !== '',
  erase: (value) => value === 'erase',
}

const EXPECTED: Readonly<Record<ArgumentKind, string>> = {
  user: 'a user id, a user name or an e-mail address',
  anybody: 'a user id, such as @anne:ministry.example',
  email: 'an e-mail address',
  room: 'a room id or an alias',
  type: 'a type of events, such as m.room.topic',
  date: 'a day such as 2027-06-30, or `renew`',
  audience: '`all`, user ids or server names, with commas between them and no spaces',
  words: 'some words',
  erase: 'the word `erase`',
}

/** What is wrong with an argument, in words; undefined where nothing is. */
export function argumentFault({ name, kind }: CommandArgument, value: string): string | undefined {
  if (value.length > maxLength(kind)) return `${name.toUpperCase()} is too long`
  return value !== '' && TAKES[kind](value) ? undefined : `${name.toUpperCase()} is ${EXPECTED[kind]}`
}

/** `deactivate USER [ERASE]`. */
export function usageOf(command: CommandName): string {
  const wanted: AdminCommand['arguments'] = ADMIN_COMMANDS[command].arguments
  const words = wanted.map(({ name, isOptional }) =>
    isOptional === true ? `[${name.toUpperCase()}]` : name.toUpperCase(),
  )
  return [command, ...words].join(' ')
}
