import { parseArgs } from 'node:util'
import { MatrixError } from '../core/errors.js'
import { ConfigError } from '../config/fault.js'
import { nearest } from '../config/nearest.js'
import { StorageError } from '../storage/errors.js'
import { VERSION } from '../version.js'
import { account } from './account.js'
import { accountValidity } from './account-validity.js'
import { audit } from './audit.js'
import { backup } from './backup.js'
import { cases } from './cases.js'
import { checkConfig } from './check-config.js'
import { CliError, EXIT, type CliIo, type Command, type Options } from './command.js'
import { deactivate } from './deactivate.js'
import { generateConfig } from './generate-config.js'
import { generateKey } from './generate-key.js'
import { migrate } from './migrate.js'
import { migrateStore } from './migrate-store.js'
import { nodeList } from './node-list.js'
import { notice } from './notice.js'
import { registerUser } from './register-user.js'
import { registrationToken } from './registration-token.js'
import { reports } from './reports.js'
import { resetPassword } from './reset-password.js'
import { restore } from './restore.js'
import { rotateKey } from './rotate-key.js'
import { retention } from './retention.js'
import { room } from './room.js'
import { secondFactor } from './second-factor.js'
import { serve } from './serve.js'
import { setAdmin } from './set-admin.js'

export const COMMANDS: readonly Command[] = [
  serve,
  generateConfig,
  generateKey,
  rotateKey,
  registerUser,
  resetPassword,
  setAdmin,
  secondFactor,
  deactivate,
  accountValidity,
  account,
  registrationToken,
  reports,
  cases,
  audit,
  notice,
  room,
  retention,
  nodeList,
  backup,
  restore,
  migrate,
  migrateStore,
  checkConfig,
]

function overview(): string[] {
  const width = Math.max(...COMMANDS.map((command) => command.name.length)) + 2
  return [
    `chancery ${VERSION}: a Matrix homeserver`,
    '',
    'Usage: chancery COMMAND [OPTIONS]',
    '',
    ...COMMANDS.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    '',
    '`chancery COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 called wrongly, 3 faults in the configuration.',
  ]
}

function parse(command: Command, args: readonly string[]): Options & { help: boolean } {
  try {
    const parsed = parseArgs({
      args: [...args],
      options: { ...command.options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: (command.words ?? []).length > 0,
    })
    const surplus = parsed.positionals[command.words?.length ?? 0]
    if (surplus !== undefined) throw new Error(`Unexpected argument '${surplus}'`)
    const values = parsed.values as Readonly<Record<string, unknown>>
    return {
      help: values['help'] === true,
      text(name) {
        const value = values[name]
        return typeof value === 'string' ? value : undefined
      },
      has: (name) => values[name] === true,
      words: parsed.positionals,
    }
  } catch (error) {
    throw new CliError(`${(error as Error).message}\nSee: chancery ${command.name} --help`, EXIT.usage)
  }
}

function find(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command !== undefined) return command
  const meant = nearest(
    name.replaceAll('-', '_'),
    COMMANDS.map((candidate) => candidate.name.replaceAll('-', '_')),
  )
  const hint =
    meant === undefined ? 'See: chancery --help' : `Did you mean \`${meant.replaceAll('_', '-')}\`?`
  throw new CliError(`there is no command \`${name}\`. ${hint}`, EXIT.usage)
}

/** Runs one command line (without the program's name) and gives the exit code. Never throws. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  try {
    const [name, ...rest] = args
    if (name === '--version' || name === '-v') {
      io.out(VERSION)
      return EXIT.ok
    }
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      overview().forEach(name === undefined ? io.err : io.out)
      return name === undefined ? EXIT.usage : EXIT.ok
    }
    const command = find(name)
    const options = parse(command, rest)
    if (options.help) {
      const usage = ['Usage: chancery', command.name, ...(command.words ?? []), '[OPTIONS]'].join(' ')
      for (const line of [`chancery ${command.name}: ${command.summary}`, usage, '', ...command.help])
        io.out(line)
      return EXIT.ok
    }
    return await command.run(options, io)
  } catch (error) {
    return report(error, io)
  }
}

function report(error: unknown, io: CliIo): number {
  if (error instanceof ConfigError) {
    io.err(error.message)
    return EXIT.config
  }
  if (error instanceof CliError || error instanceof StorageError || error instanceof MatrixError) {
    io.err(`chancery: ${error.message}`)
    return error instanceof CliError ? error.exitCode : EXIT.failed
  }
  io.err(`chancery: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return EXIT.failed
}
