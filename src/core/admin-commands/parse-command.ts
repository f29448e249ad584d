import {
  ADMIN_COMMANDS,
  argumentFault,
  isCommandName,
  MAX_WORDS,
  usageOf,
  type AdminCommand,
  type CommandArguments,
  type CommandName,
} from './commands.js'

/** What somebody wrote to the administration bot. */
export type ChatLine =
  | { readonly kind: 'command'; readonly command: CommandName; readonly arguments: CommandArguments }
  | { readonly kind: 'help'; readonly command: CommandName | undefined }
  | { readonly kind: 'cancel' }
  /** The six digits of a code. */
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'fault'; readonly message: string }
  /** People talk to each other: nothing for the bot. */
  | { readonly kind: 'talk' }

/** A line that is longer is no command. UTF-16 units. */
export const MAX_LINE = 2 * MAX_WORDS

const PREFIX = '!'

/** The next word from a place on, in quotation marks or not; undefined at the end. */
function nextWord(line: string, from: number): { readonly word: string; readonly end: number } | undefined {
  let at = from
  while (at < line.length && isSpace(line[at]!)) at++
  if (at >= line.length) return undefined
  if (line[at] === '"') {
    const close = line.indexOf('"', at + 1)
    if (close !== -1) return { word: line.slice(at + 1, close), end: close + 1 }
  }
  const start = at
  while (at < line.length && !isSpace(line[at]!)) at++
  return { word: line.slice(start, at), end: at }
}

const isSpace = (character: string): boolean => /\s/.test(character)

/** What an authenticator shows, with or without the space in its middle; undefined for any other text. */
export const codeIn = (text: string): string | undefined => {
  const match = /^\s{0,10}([0-9]{3})[ \u00a0]?([0-9]{3})\s{0,10}$/.exec(text.slice(0, 40))
  return match === null || text.length > 40 ? undefined : `${match[1]!}${match[2]!}`
}

/** The arguments of a command by their places: those of several words stand last and are taken as they are. */
function readArguments(command: CommandName, line: string, from: number): ChatLine {
  const wanted: AdminCommand['arguments'] = ADMIN_COMMANDS[command].arguments
  const fault = (message: string): ChatLine => ({
    kind: 'fault',
    message: `${message}. Usage: ${PREFIX}${usageOf(command)}`,
  })
  const given = new Map<string, string>()
  let at = from
  for (const argument of wanted) {
    const next =
      argument.kind === 'words' ? { word: line.slice(at).trim(), end: line.length } : nextWord(line, at)
    if (next === undefined || next.word === '') {
      if (argument.isOptional === true) break
      return fault(`${argument.name.toUpperCase()} is missing`)
    }
    const problem = argumentFault(argument, next.word)
    if (problem !== undefined) return fault(problem)
    given.set(argument.name, next.word)
    at = next.end
  }
  if (nextWord(line, at) !== undefined) return fault('There is more than the command takes')
  return { kind: 'command', command, arguments: given }
}

/** Reads a message. Whatever it is, it takes time in proportion to its length. */
export function parseChatLine(text: string): ChatLine {
  const code = codeIn(text)
  if (code !== undefined) return { kind: 'code', code }
  const line = text.trim()
  if (!line.startsWith(PREFIX)) return { kind: 'talk' }
  if (line.length > MAX_LINE) return { kind: 'fault', message: 'This is too long for a command' }
  const first = nextWord(line, PREFIX.length)
  const name = first?.word.toLowerCase() ?? ''
  if (name === 'cancel') return { kind: 'cancel' }
  if (name === 'help' || name === '') {
    const about = first === undefined ? undefined : nextWord(line, first.end)?.word
    return { kind: 'help', command: about !== undefined && isCommandName(about) ? about : undefined }
  }
  if (!isCommandName(name))
    return { kind: 'fault', message: `There is no such command. ${PREFIX}help lists them` }
  return readArguments(name, line, first!.end)
}

/** Arguments by name, as a script gives them: undefined ones were not given. Gives what is wrong with the first that is. */
export function namedArguments(
  command: CommandName,
  given: Readonly<Record<string, string | undefined>>,
): { readonly arguments: CommandArguments } | { readonly fault: string } {
  const wanted: AdminCommand['arguments'] = ADMIN_COMMANDS[command].arguments
  const out = new Map<string, string>()
  for (const argument of wanted) {
    const value = Object.hasOwn(given, argument.name) ? given[argument.name] : undefined
    if (value === undefined) {
      if (argument.isOptional !== true) return { fault: `${argument.name} is missing` }
      continue
    }
    const fault = argumentFault(argument, value)
    if (fault !== undefined) return { fault }
    out.set(argument.name, value)
  }
  return { arguments: out }
}
