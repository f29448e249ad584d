import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'

/** What a process said until it ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** A Node process that a test has started. */
export interface Child {
  readonly process: ChildProcessWithoutNullStreams
  /** Resolves when it has ended and all that it wrote was read. Rejects where it could not be started. */
  readonly ended: Promise<Ended>
  /** The next line that it prints. Throws, with what it wrote to standard error, when it ends first. */
  line(): Promise<string>
  /** The first match in what it has printed so far or prints from now on. Throws as `line`. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends the signal and waits; after the grace, in milliseconds, it is killed. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<Ended>
}

export interface ChildOptions {
  readonly cwd?: string
  /** The whole environment; default: this process's, without its NODE_OPTIONS, which are meant for the test runner. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** All of its standard input. Without it the input stays open. */
  readonly input?: string
}

const GRACE_MS = 15_000
/** A process that prints without end must not fill the memory of the tests; the newest is kept. */
const MAX_KEPT = 2 ** 22

/** Those still running when this process ends are ended with it: a test that fails leaves none behind. */
const alive = new Set<ChildProcessWithoutNullStreams>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Starts this very Node with the arguments. */
export function startChild(args: readonly string[], options: ChildOptions = {}): Child {
  const env = options.env ?? { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, args, {
    stdio: 'pipe',
    env: { ...env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  alive.add(child)
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out = (out + chunk.toString()).slice(-MAX_KEPT)))
  child.stderr.on('data', (chunk: Buffer) => (err = (err + chunk.toString()).slice(-MAX_KEPT)))
  // One that has ended already reads no input.
  child.stdin.on('error', () => undefined)
  if (options.input !== undefined) child.stdin.end(options.input)

  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      alive.delete(child)
      resolve({ code, signal, out, err })
    })
  })
  // Whoever waits for nothing is not troubled by it.
  ended.catch(() => undefined)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  async function early(what: string): Promise<never> {
    const { code, signal } = await ended
    throw new Error(`the process ended (${signal ?? code}) before ${what}: ${err}`)
  }

  return {
    process: child,
    ended,
    async line() {
      const { done, value } = await lines.next()
      return done === true ? early('it said anything more') : value
    },
    said(pattern) {
      const found = new Promise<RegExpExecArray>((resolve) => {
        const look = (): void => {
          const match = pattern.exec(out)
          if (match === null) return
          child.stdout.off('data', look)
          resolve(match)
        }
        // After the listener above, so that it sees what was just read.
        child.stdout.on('data', look)
        look()
      })
      return Promise.race([found, early(`it said ${String(pattern)}`)])
    },
    async stop(signal = 'SIGTERM', graceMs = GRACE_MS) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
      try {
        return await ended
      } finally {
        clearTimeout(force)
      }
    },
  }
}

/** The lines that a process prints until there are more than `count`; then it is killed, in the midst of whatever it does. */
export async function linesUntilKilled(child: Child, count: number): Promise<string[]> {
  let seen = 0
  child.process.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString().split('\n').length - 1
    if (seen >= count) child.process.kill('SIGKILL')
  })
  const { out } = await child.ended
  return out.split('\n').slice(0, -1)
}
