import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import { MatrixError } from '../core/errors.js'
import type { Route } from './route.js'

const unrecognized = (status: 404 | 405): MatrixError =>
  new MatrixError(
    'M_UNRECOGNIZED',
    status === 404 ? 'Unrecognized request' : 'Wrong method for this path',
    {},
    status,
  )

/** `/a/b/{c}/d` and every request that can match it share the number of segments and the literal start. */
function literalStart(path: string): string {
  const open = path.indexOf('{')
  return open === -1 ? path : path.slice(0, path.lastIndexOf('/', open))
}

const bucket = (segments: number, start: readonly string[]): string => `${segments} ${start.join('/')}`

const toPattern = (path: string): string => path.replaceAll(/\{([A-Za-z]+)\}/g, ':$1')

/**
 * All routes behind one dispatch table. A router that holds 300 routes tries them one by one; here the number of
 * segments and the literal start of the path (`/_matrix/client/v3/rooms`, …) choose a small router first.
 */
export function dispatcher(routes: readonly Route[], handle: (route: Route) => Middleware): Middleware {
  const routers = new Map<string, Router>()
  const literalPaths = new Map<string, Map<string, Middleware>>()
  for (const route of routes) {
    const handler = handle(route)
    for (const path of route.paths) {
      if (literalStart(path) === path) {
        const methods = literalPaths.get(path) ?? new Map<string, Middleware>()
        if (methods.has(route.method)) throw new Error(`two routes for ${route.method} ${path}`)
        methods.set(route.method, handler)
        literalPaths.set(path, methods)
        continue
      }
      const key = bucket(path.split('/').length, literalStart(path).split('/').slice(1, 5))
      let router = routers.get(key)
      if (router === undefined) {
        router = new Router({ strict: true, sensitive: true })
        routers.set(key, router)
      }
      router.register(toPattern(path), [route.method], handler as never)
    }
  }

  return async (ctx: Context, next) => {
    const method = ctx.method === 'HEAD' ? 'GET' : ctx.method
    const literal = literalPaths.get(ctx.path)
    if (literal !== undefined) {
      const handler = literal.get(method)
      if (handler !== undefined) return handler(ctx, next)
    }
    const segments = ctx.path.split('/')
    const allowed = new Set(literal?.keys())
    for (let depth = Math.min(5, segments.length - 1); depth >= 1; depth--) {
      const router = routers.get(bucket(segments.length, segments.slice(1, depth)))
      if (router === undefined) continue
      const { path } = ctx
      const matched = router.match(path, method)
      // The router's own middleware would match the path once more. A handler calls none after it, so the first one counts.
      const layer = matched.pathAndMethod[0]
      if (layer !== undefined) {
        ctx['params'] = layer.params(path, layer.captures(path))
        return (layer.stack[0] as unknown as Middleware)(ctx, next)
      }
      for (const { methods } of matched.path) for (const known of methods) allowed.add(known)
    }
    if (allowed.size > 0) ctx.set('Allow', [...allowed].join(', '))
    throw unrecognized(allowed.size > 0 ? 405 : 404)
  }
}
