import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that came to the application service. */
export interface Got {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string | undefined
  /** The body as it came. */
  readonly text: string
}

export interface TestTransaction {
  readonly id: string
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export type TestAnswer = { readonly status: number; readonly body?: unknown } | 'hang' | 'break'

/** An application service that keeps what it is told, and answers as it is told to. */
export interface TestAppservice {
  readonly url: string
  readonly got: readonly Got[]
  /** Transactions in the order in which they came, repetitions too. */
  readonly transactions: readonly TestTransaction[]
  /** Of those that were answered 200, each once. */
  readonly taken: readonly TestTransaction[]
  /** What every further request is answered; a function may look at it. Default: 200 `{}` for transactions and pings, 404 for the rest. */
  answer(how: (got: Got) => TestAnswer | undefined | Promise<TestAnswer | undefined>): void
  /** Resolves once the condition holds; it is looked at after every request. */
  until(condition: () => boolean, what: string): Promise<void>
  close(): Promise<void>
}

const PATIENCE = 60_000

async function readAll(req: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of req) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString('utf8')
}

/** On a port of its own, or on one that it had before. */
export async function startAppservice(port = 0): Promise<TestAppservice> {
  const got: Got[] = []
  const transactions: TestTransaction[] = []
  const taken = new Map<string, TestTransaction>()
  const waiting = new Set<() => void>()
  let how: (one: Got) => TestAnswer | undefined | Promise<TestAnswer | undefined> = () => undefined

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://appservice')
    const one: Got = {
      method: req.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      authorization: req.headers.authorization,
      text: await readAll(req),
    }
    got.push(one)
    const id = /\/transactions\/(.+)$/.exec(one.path)?.[1]
    const transaction =
      id === undefined ? undefined : { id, text: one.text, body: JSON.parse(one.text) as unknown }
    if (transaction !== undefined) transactions.push(transaction)
    const usual = transaction !== undefined || one.path.endsWith('/ping') ? 200 : 404
    const answer = (await how(one)) ?? { status: usual }
    if (answer === 'break') req.socket.destroy()
    else if (answer !== 'hang') {
      if (transaction !== undefined && answer.status === 200) taken.set(transaction.id, transaction)
      res.writeHead(answer.status, { 'content-type': 'application/json' })
      res.end(JSON.stringify(answer.body ?? (answer.status === 404 ? { errcode: 'M_NOT_FOUND' } : {})))
    }
    for (const look of [...waiting]) look()
  }

  const server: Server = createServer((req, res) => void handle(req, res).catch(() => req.socket.destroy()))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    transactions,
    get taken() {
      return [...taken.values()]
    },
    answer(next) {
      how = next
    },
    until(condition, what) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`the application service waits in vain: ${what}`))
        }, PATIENCE)
        const look = (): void => {
          if (!condition()) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
