/** Serves a built web client on loopback, with a config.json of our own. Only for tests: one origin for each person. */
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { pipeline } from 'node:stream'

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
}

const isFile = (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** The file for a path. A path without a dot is a page of the client, which routes by itself; undefined: not there. */
function fileFor(folder, pathname) {
  const path = normalize(join(folder, pathname))
  if (path !== folder && !path.startsWith(folder + sep)) return undefined
  if (isFile(path)) return path
  // Cinny asks for its WebAssembly beside whatever page is open.
  if (pathname.endsWith('/olm.wasm')) return join(folder, 'olm.wasm')
  return extname(pathname) === '' || /^\/(login|register)\//.test(pathname)
    ? join(folder, 'index.html')
    : undefined
}

/** Resolves to `{ url, close() }`. */
export function serveClient(folder, config) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    if (pathname === '/config.json') {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(config))
      return
    }
    const file = fileFor(folder, decodeURIComponent(pathname))
    if (file === undefined) {
      response.statusCode = 404
      response.end()
      return
    }
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
    pipeline(createReadStream(file), response, () => {})
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve({
        url: `http://localhost:${server.address().port}`,
        close: () => {
          server.closeAllConnections()
          return new Promise((done) => server.close(done))
        },
      })
    })
  })
}
