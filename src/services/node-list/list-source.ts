import { open } from 'node:fs/promises'
import { MAX_NODE_LIST_BYTES } from '../../core/node-list/parse-node-list.js'
import type { OutboundHttp } from '../federation/outbound-http.js'

/** Where a node list comes from. */
export interface ListSource {
  /** For the log. */
  readonly name: string
  /** The document as it stands there now, bounded in size and time. Rejects where it cannot be had. */
  read(): Promise<Uint8Array>
}

export function fileSource(path: string): ListSource {
  return {
    name: path,
    async read() {
      const file = await open(path, 'r')
      try {
        const buffer = Buffer.alloc(MAX_NODE_LIST_BYTES + 1)
        let length = 0
        for (;;) {
          const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
          length += bytesRead
          if (bytesRead === 0 || length === buffer.length) break
        }
        if (length > MAX_NODE_LIST_BYTES) throw new Error('the file is too large for a node list')
        return buffer.subarray(0, length)
      } finally {
        await file.close()
      }
    },
  }
}

/** Pre: an https address; the connections' address policy holds for it. */
export function urlSource(url: string, http: Pick<OutboundHttp, 'request'>, timeoutMs = 15_000): ListSource {
  return {
    name: url,
    async read() {
      const answer = await http.request({ url, timeoutMs, maxBytes: MAX_NODE_LIST_BYTES, maxRedirects: 3 })
      if (answer.status !== 200) throw new Error(`the answer has the status ${answer.status}`)
      return answer.body
    },
  }
}
