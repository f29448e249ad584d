import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the fake does with a stream. */
export type ClamdMood =
  | 'well'
  /** Takes everything and never answers. */
  | 'silent'
  /** Hangs up in the middle of the stream. */
  | 'hangs-up'
  /** Says that all is well after the first bytes. */
  | 'hasty'
  | 'broken'
  /** Half an answer. */
  | 'torn'
  /** An answer without an end. */
  | 'endless'

export interface FakeClamd {
  readonly path: string
  mood: ClamdMood
  version: string
  /** StreamMaxLength. */
  limit: number
  /** Streams that were looked at to their end. */
  readonly scans: Buffer[]
  /** Connections that are open now, and the most that were at the same time. */
  readonly open: () => number
  readonly most: () => number
  close(): Promise<void>
}

/** The words by which the fake knows what is infected: in pieces, so that no scanner takes this file for it. */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-', 'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('')

/** A clamd of a test: the protocol of INSTREAM and VERSION, and all its failures. */
export async function startFakeClamd(): Promise<FakeClamd> {
  const folder = await mkdtemp(join(tmpdir(), 'clamd-'))
  const sockets = new Set<Socket>()
  let most = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    most = Math.max(most, sockets.size)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    let received = Buffer.alloc(0)
    let isDone = false
    const answer = (text: string): void => {
      isDone = true
      socket.end(text)
    }
    socket.on('data', (piece: Buffer) => {
      if (isDone) return
      received = Buffer.concat([received, piece])
      if (received.toString('latin1').startsWith('zVERSION\0')) return answer(`${fake.version}\0`)
      if (!received.toString('latin1').startsWith('zINSTREAM\0')) return
      if (fake.mood === 'silent') return
      const { bytes, isWhole } = framesOf(received.subarray('zINSTREAM\0'.length))
      if (bytes.length > 0 && fake.mood === 'hangs-up') return void socket.destroy()
      if (bytes.length > 0 && fake.mood === 'hasty') return answer('stream: OK\0')
      if (bytes.length > fake.limit) return answer('INSTREAM size limit exceeded. ERROR\0')
      if (!isWhole) return
      fake.scans.push(bytes)
      if (fake.mood === 'broken') return answer("stream: Can't allocate memory ERROR\0")
      if (fake.mood === 'torn') return answer('stream: O')
      if (fake.mood === 'endless') return answer('x'.repeat(100_000))
      answer(bytes.includes(EICAR) ? 'stream: Eicar-Test FOUND\0' : 'stream: OK\0')
    })
  })
  const path = join(folder, 'clamd.ctl')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const fake: FakeClamd = {
    path,
    mood: 'well',
    version: 'ClamAV 1.4.6/1',
    limit: 10_000_000,
    scans: [],
    open: () => sockets.size,
    most: () => most,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
  return fake
}

function framesOf(received: Buffer): { readonly bytes: Buffer; readonly isWhole: boolean } {
  const pieces: Buffer[] = []
  for (let at = 0; at + 4 <= received.length;) {
    const length = received.readUInt32BE(at)
    if (length === 0) return { bytes: Buffer.concat(pieces), isWhole: true }
    pieces.push(received.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return { bytes: Buffer.concat(pieces), isWhole: false }
}
