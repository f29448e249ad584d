import { spawn } from 'node:child_process'

/** A program that could not be started, or that was ended by a signal. */
export class CommandError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
  }
}

/**
 * Runs a program without a shell, with a bare environment and no input, and gives its exit code. What it prints is thrown away. Where the signal is aborted it is
 * killed with all that it has started, and the promise rejects with the signal's reason; else with CommandError.
 */
export function runCommand(path: string, args: readonly string[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, {
      stdio: 'ignore',
      shell: false,
      // A group of its own, so that what it starts ends with it.
      detached: true,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' },
    })
    const kill = (): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    signal.addEventListener('abort', kill, { once: true })
    const done = (): void => signal.removeEventListener('abort', kill)
    child.once('error', (error) => {
      done()
      reject(new CommandError(`${path} cannot be run: ${error.message}`, { cause: error }))
    })
    child.once('exit', (code, name) => {
      done()
      if (signal.aborted) reject(signal.reason as Error)
      else if (code === null) reject(new CommandError(`${path} was ended by ${name}`))
      else resolve(code)
    })
  })
}
