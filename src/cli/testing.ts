import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { startChild, type Child } from '../platform/testing-child.js'
import { runCli } from './run.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Starts a file of the sources in a process of its own. */
export function startSource(
  file: string,
  args: readonly string[],
  cwd: string,
  { input, env = {} }: RunOptions = {},
): Child {
  const loader = join(ROOT, 'scripts/oracle/typescript.mjs')
  return startChild(['--import', loader, join(ROOT, file), ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env },
    ...(input === undefined ? {} : { input }),
  })
}

/** Starts the program as an operator would start the built one. */
export const startCli = (args: readonly string[], cwd: string, options: RunOptions = {}): Child =>
  startSource('src/main.ts', args, cwd, options)

export interface RunOptions {
  readonly input?: string
  readonly env?: Record<string, string>
}

export interface Workplace {
  readonly folder: string
  /** Runs a command in this process: fast. */
  run(args: readonly string[], options?: RunOptions): Promise<Finished>
  /** Runs it as a process of its own. */
  spawn(args: readonly string[], options?: RunOptions): Promise<Finished>
  remove(): void
}

async function runHere(
  args: readonly string[],
  cwd: string,
  { input = '', env = {} }: RunOptions,
): Promise<Finished> {
  let out = ''
  let err = ''
  const code = await runCli(args, {
    stdin: Readable.from(input === '' ? [] : [input]),
    out: (line) => (out += `${line}\n`),
    err: (line) => (err += `${line}\n`),
    env,
    cwd,
  })
  return { code, out, err }
}

/** A folder of its own to run commands in. */
export function workplace(): Workplace {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-cli-'))
  return {
    folder,
    run: (args, options = {}) => runHere(args, folder, options),
    async spawn(args, options = {}) {
      const { code, out, err } = await startCli(args, folder, { input: '', ...options }).ended
      return { code, out, err }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
