import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const DRIVER = fileURLToPath(new URL('./js-sdk-driver.mjs', import.meta.url))

// What the SDK gives, as JSON; tests look at whatever is there.
// oxlint-disable-next-line typescript/no-explicit-any
export type Loose = any

/** A person at one device, run by the driver process. */
export interface Person {
  readonly name: string
  readonly userId: string
  readonly deviceId: string
  /** A command of `js-sdk-person.mjs`; rejects with the stack of that process. */
  do(command: string, ...args: unknown[]): Promise<Loose>
}

export interface Credentials {
  readonly url: string
  readonly user: string
  readonly password: string
}

/** The process in which matrix-js-sdk runs; everybody of one test lives in it. */
export interface Driver {
  logIn(name: string, credentials: Credentials): Promise<Person>
  close(): Promise<void>
}

export async function startDriver(): Promise<Driver> {
  const child: ChildProcess = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', DRIVER], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const waiting = new Map<number, { resolve(value: Loose): void; reject(error: Error): void }>()
  let counter = 0
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ready = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => {
      const error = new Error(`the driver ended with ${code}`)
      reject(error)
      for (const one of waiting.values()) one.reject(error)
      waiting.clear()
    })
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const answer: { id?: number; ready?: true; result?: unknown; error?: string } = JSON.parse(line)
      if (answer.ready) return resolve()
      const one = waiting.get(answer.id!)
      waiting.delete(answer.id!)
      if (answer.error === undefined) one?.resolve(answer.result)
      else one?.reject(new Error(answer.error))
    })
  })
  await ready

  function ask(person: string, command: string, args: unknown[]): Promise<Loose> {
    const id = counter++
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      child.stdin!.write(`${JSON.stringify({ id, person, command, args })}\n`)
    })
  }

  return {
    async logIn(name, credentials) {
      const { userId, deviceId } = await ask(name, 'logIn', [credentials])
      return { name, userId, deviceId, do: (command, ...args) => ask(name, command, args) }
    },
    async close() {
      child.stdin!.end()
      await ended
    },
  }
}
