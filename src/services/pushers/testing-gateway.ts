import { fileURLToPath } from 'node:url'
import { startChild } from '../../platform/testing-child.js'

/** What a gateway was sent. */
export interface Notified {
  readonly path: string
  /** What it answered. */
  readonly status: number
  readonly body: { readonly notification: any } // oxlint-disable-line typescript/no-explicit-any
}

export interface TestGateway {
  readonly url: string
  readonly port: number
  /** In order. */
  readonly got: readonly Notified[]
  /** Resolves when it has been sent so many in all. */
  until(count: number): Promise<readonly Notified[]>
  /** How it answers from now on. */
  answer(manner: {
    status?: number
    delayMs?: number
    rejected?: readonly string[]
    body?: string
  }): Promise<void>
  stop(): Promise<void>
}

const HOOKS = fileURLToPath(new URL('../../workers/typescript-hooks.mjs', import.meta.url))
const CHILD = fileURLToPath(new URL('./testing-gateway-child.ts', import.meta.url))

/** Starts a gateway as a process of its own, on a port of its own or on the given one. */
export async function startGateway(port = 0): Promise<TestGateway> {
  const child = startChild(['--import', HOOKS, CHILD, String(port)])
  const bound = Number(await child.line())
  const got: Notified[] = []
  let news: () => void = () => undefined
  let changed: () => void = () => undefined
  const stopped = (async () => {
    try {
      for (;;) {
        const item = JSON.parse(await child.line()) as Notified | string
        if (typeof item === 'string') changed()
        else got.push(item)
        news()
      }
    } catch {
      // It was stopped.
    }
  })()
  return {
    url: `http://127.0.0.1:${bound}/_matrix/push/v1/notify`,
    port: bound,
    got,
    async until(count) {
      const deadline = performance.now() + 30_000
      while (got.length < count) {
        if (performance.now() > deadline) throw new Error(`only ${got.length} of ${count} notifications came`)
        await new Promise<void>((resolve) => {
          news = resolve
          setTimeout(resolve, 500)
        })
      }
      return got
    },
    answer: (manner) =>
      new Promise((resolve) => {
        changed = resolve
        child.process.stdin.write(`${JSON.stringify(manner)}\n`)
      }),
    async stop() {
      await child.stop()
      await stopped
    },
  }
}
