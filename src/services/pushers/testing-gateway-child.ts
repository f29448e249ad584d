/**
 * A push gateway for tests, as a process of its own. Prints the port that it listens on, then each notification as a line of JSON. Lines of
 * JSON on standard input say how it answers from then on: `{ status, delayMs, rejected }`.
 */
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

interface Manner {
  readonly status?: number
  readonly delayMs?: number
  readonly rejected?: readonly string[]
  readonly body?: string
}

let manner: Manner = {}
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { status = 200, delayMs = 0, rejected = [], body } = manner
    const text = Buffer.concat(chunks).toString()
    process.stdout.write(
      `${JSON.stringify({ path: request.url, status, body: JSON.parse(text) as unknown })}\n`,
    )
    setTimeout(() => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body ?? JSON.stringify({ rejected }))
    }, delayMs)
  })
})
createInterface({ input: process.stdin }).on('line', (line) => {
  manner = JSON.parse(line) as Manner
  process.stdout.write('"changed"\n')
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})
