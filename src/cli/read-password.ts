import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CliError, EXIT, type CliIo, type Options } from './command.js'

/** Longer input is no password; a stream that never ends must not fill the memory. */
const MAX_INPUT = 4_096

/**
 * The password from `--password-file`, or the first line of standard input; a terminal is asked without echo.
 * Never an argument: the arguments of a process are seen by everybody on the machine.
 */
export async function readPassword(options: Options, io: CliIo): Promise<string> {
  const file = options.text('password-file')
  const password = file === undefined ? await fromInput(io) : fromFile(resolve(io.cwd, file))
  if (password === '') throw new CliError('the password is empty', EXIT.usage)
  return password
}

function fromFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n[^]*$/, '')
  } catch (error) {
    throw new CliError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  }
}

async function fromInput(io: CliIo): Promise<string> {
  if (io.stdin.isTTY === true) return ask(io)
  let text = ''
  for await (const chunk of io.stdin) {
    text += String(chunk)
    if (text.includes('\n') || text.length > MAX_INPUT) break
  }
  if (text.length > MAX_INPUT) throw new CliError('the password is too long')
  return text.replace(/\r?\n[^]*$/, '')
}

function ask(io: CliIo): Promise<string> {
  // Readline echoes what is typed to its output; this one drops it.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: io.stdin, output: nowhere, terminal: true })
  io.err('password (not shown):')
  return new Promise((done, fail) => {
    terminal.once('line', (line) => {
      done(line)
      terminal.close()
    })
    terminal.once('close', () => fail(new CliError('no password was given')))
  })
}
