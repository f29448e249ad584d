import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'

/** Where messages go. `unix`: a stream socket; Node speaks no datagrams over paths. */
export type SyslogTarget =
  | { readonly transport: 'udp' | 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'unix'; readonly path: string }

export interface SyslogMessage {
  /** Milliseconds since 1970. */
  readonly ts: number
  readonly severity: 'warning' | 'notice'
  /** At most 32 printable ASCII characters. */
  readonly messageId: string
  readonly text: string
}

export interface Syslog {
  /**
   * Resolves when the system has taken all of them; syslog acknowledges nothing, so what was under way when a connection broke may be lost.
   * Rejects where there is no connection.
   */
  send(messages: readonly SyslogMessage[]): Promise<void>
  close(): void
}

/** `log audit`. */
const FACILITY = 13
const SEVERITY = { warning: 4, notice: 5 } as const
const TIMEOUT_MS = 10_000

const printable = (text: string, max: number): string => text.replaceAll(/[^!-~]/g, '_').slice(0, max) || '-'

/** One message by RFC 5424. */
export function formatSyslog(host: string, { ts, severity, messageId, text }: SyslogMessage): string {
  const priority = FACILITY * 8 + SEVERITY[severity]
  const stamp = new Date(ts).toISOString()
  return `<${priority}>1 ${stamp} ${printable(host, 255)} chancery - ${printable(messageId, 32)} - ${text}`
}

/** `host`: the name in the messages. Connects when there is something to send. */
export function openSyslog(target: SyslogTarget, host: string): Syslog {
  return target.transport === 'udp' ? datagrams(target, host) : stream(target, host)
}

function datagrams(
  { host: to, port }: { readonly host: string; readonly port: number },
  host: string,
): Syslog {
  let socket: DatagramSocket | undefined
  const open = (): DatagramSocket => {
    const opened = createSocket(to.includes(':') ? 'udp6' : 'udp4')
    // Of a datagram that nobody takes. The next one shows whether that lasts.
    opened.on('error', () => undefined)
    opened.unref()
    return opened
  }
  const sendOne = (bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      socket ??= open()
      socket.send(bytes, port, to, (error) => (error === null ? resolve() : reject(error)))
    })
  return {
    async send(messages) {
      for (const message of messages) await sendOne(Buffer.from(formatSyslog(host, message)))
    },
    close() {
      socket?.close()
      socket = undefined
    },
  }
}

/** Messages over a stream are counted in octets: RFC 6587, 3.4.1. */
function framed(host: string, message: SyslogMessage): string {
  const line = formatSyslog(host, message)
  return `${Buffer.byteLength(line)} ${line}`
}

function stream(target: SyslogTarget, host: string): Syslog {
  let socket: Socket | undefined

  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const opened =
        target.transport === 'unix'
          ? connect({ path: target.path })
          : connect({ host: target.host, port: target.port })
      const fail = (error: Error): void => {
        opened.destroy()
        reject(error)
      }
      opened.setTimeout(TIMEOUT_MS, () => fail(new Error('the log server does not answer')))
      opened.once('error', fail)
      opened.once('connect', () => {
        opened.setTimeout(0)
        opened.off('error', fail)
        opened.on('error', () => opened.destroy())
        opened.once('close', () => {
          if (socket === opened) socket = undefined
        })
        // What a log server says is nothing to us; unread, it would hide that the connection has ended.
        opened.resume()
        opened.unref()
        resolve(opened)
      })
    })

  return {
    async send(messages) {
      socket ??= await open()
      const current = socket
      const bytes = messages.map((message) => framed(host, message)).join('')
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => current.destroy(new Error('the log server takes nothing')), TIMEOUT_MS)
        current.write(bytes, (error) => {
          clearTimeout(timer)
          if (error === null || error === undefined) resolve()
          else reject(error)
        })
      })
    },
    close() {
      socket?.destroy()
      socket = undefined
    },
  }
}
