import type { Readable } from 'node:stream'

/** What a command may touch of the process it runs in. */
export interface CliIo {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  /** Writes one line. */
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths of arguments start here. */
  readonly cwd: string
}

export interface Options {
  text(name: string): string | undefined
  has(name: string): boolean
  /** The words that are no options, in order; as many as the command names, or fewer. */
  readonly words: readonly string[]
}

export interface Command {
  readonly name: string
  readonly summary: string
  /** What stands after the command's name, such as `USER`; a command without them takes none. */
  readonly words?: readonly string[]
  /** Lines of `--help` after the usage; each option with what it does. */
  readonly help: readonly string[]
  readonly options: Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>>
  /** Gives the exit code. Throws CliError for what the operator can mend. */
  run(options: Options, io: CliIo): Promise<number>
}

/** Done; failed; called wrongly; the configuration is at fault. */
export const EXIT = { ok: 0, failed: 1, usage: 2, config: 3 } as const

/** A failure that is fully told in its message: no stack is printed. */
export class CliError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

/** The word in a place, which must be there. */
export function word(command: Command, options: Options, index: number): string {
  const given = options.words[index]
  if (given === undefined || given === '') {
    const usage = [command.name, ...(command.words ?? [])].join(' ')
    throw new CliError(
      `${command.words?.[index] ?? 'something'} is missing. Usage: chancery ${usage}`,
      EXIT.usage,
    )
  }
  return given
}

export const CONFIG_OPTION = { config: { type: 'string', short: 'c' } } as const
export const CONFIG_HELP =
  '  -c, --config FILE   the configuration; default: $CHANCERY_CONFIG, else ./homeserver.yaml'
