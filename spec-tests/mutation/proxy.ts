import { createServer, request, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { segmentsOf } from '../contract/definitions.js'

/** An answer of the real node. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * How an operation is broken. Gets the request and a way to the real node, and gives what the client sees instead; `touched` is called when
 * that differs from what a sound server does.
 */
export interface Mutant {
  readonly name: string
  /** Whether it would change this answer: the tests that see one are tried first. */
  readonly concerns: (reply: Reply) => boolean
  readonly spoil: (
    asked: Asked,
    forward: (changed?: Partial<Asked>) => Promise<Reply>,
    touched: () => void,
  ) => Promise<Reply>
}

export interface BreakingProxy {
  readonly url: string
  /** From now on requests of the operation are given to the mutant. Gives what tells how many answers it has changed, and ends it. */
  use(method: string, path: string, mutant: Mutant): () => number
  close(): Promise<void>
}

function isOf(method: string, path: string): (asked: Asked) => boolean {
  const template = segmentsOf(path)
  const lengths = path.endsWith('{stateKey}') ? [template.length, template.length - 1] : [template.length]
  return (asked) => {
    const segments = segmentsOf(asked.url.split('?')[0]!)
    return (
      asked.method === method &&
      lengths.includes(segments.length) &&
      segments.every((segment, i) => template[i]!.startsWith('{') || template[i] === segment)
    )
  }
}

function send(target: URL, asked: Asked): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { ...asked.headers }
    delete headers['transfer-encoding']
    headers['content-length'] = String(asked.body.length)
    const out = request(
      { hostname: target.hostname, port: target.port, method: asked.method, path: asked.url, headers },
      (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('error', reject)
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(parts) }),
        )
      },
    )
    out.on('error', reject)
    out.end(asked.body)
  })
}

/** A proxy before the node at the URL, on a free port of loopback. */
export async function startBreakingProxy(target: string): Promise<BreakingProxy> {
  const to = new URL(target)
  let current:
    { readonly meant: (asked: Asked) => boolean; readonly mutant: Mutant; changed: number } | undefined
  const server = createServer((req, res) => {
    const parts: Buffer[] = []
    req.on('data', (part: Buffer) => parts.push(part))
    req.on('end', () => {
      const asked: Asked = {
        method: req.method!,
        url: req.url!,
        headers: req.headers,
        body: Buffer.concat(parts),
      }
      const using = current
      const forward = (changed: Partial<Asked> = {}): Promise<Reply> => send(to, { ...asked, ...changed })
      const reply =
        using?.meant(asked) === true
          ? using.mutant.spoil(asked, forward, () => {
              using.changed += 1
            })
          : forward()
      reply.then(
        ({ status, headers, body }) => {
          const own = { ...headers }
          delete own['transfer-encoding']
          own['content-length'] = String(body.length)
          res.writeHead(status, own)
          res.end(body)
        },
        () => res.destroy(),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use(method, path, mutant) {
      const using = { meant: isOf(method, path), mutant, changed: 0 }
      current = using
      return () => {
        current = undefined
        return using.changed
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
