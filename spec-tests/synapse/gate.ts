import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/**
 * The way into a server for other servers. Its port is in the server's name; shutting it cuts the server off from what others
 * send, while its own requests go out as before.
 */
export interface Gate {
  readonly port: number
  /** Where requests are passed on to; known only once the server has its port. */
  leadTo(port: number): void
  /** Ends every connection, and refuses new ones. */
  shut(): void
  open(): void
  close(): Promise<void>
}

export function startGate(): Promise<Gate> {
  const sockets = new Set<Socket>()
  let target: number | undefined
  let isOpen = true
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }
  const server = createServer((incoming) => {
    keep(incoming)
    if (!isOpen || target === undefined) {
      incoming.resetAndDestroy()
      return
    }
    const outgoing = connect(target, '127.0.0.1')
    keep(outgoing)
    incoming.setNoDelay(true)
    outgoing.setNoDelay(true)
    incoming.pipe(outgoing)
    outgoing.pipe(incoming)
    incoming.once('close', () => outgoing.destroy())
    outgoing.once('close', () => incoming.destroy())
  })
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        leadTo: (port) => (target = port),
        shut() {
          isOpen = false
          destroyAll()
        },
        open: () => (isOpen = true),
        close: () =>
          new Promise((done) => {
            server.close(() => done())
            destroyAll()
          }),
      })
    })
  })
}
