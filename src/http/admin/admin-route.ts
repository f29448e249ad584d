import type { TObject, TSchema } from 'typebox'
import { MatrixError } from '../../core/errors.js'
import { confirmWhereGuarded } from './confirmation-code.js'
import { route, SECRET_PARAMS, type Reply, type Route } from '../route.js'

const shown = (params: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !SECRET_PARAMS.has(name)))

/**
 * A route of `/_synapse/admin`, which no specification has: tools that were written for Synapse call it. For administrators alone;
 * whatever comes of a call, it is recorded who made it, and on whom.
 * NOTSPEC: https://element-hq.github.io/synapse/latest/usage/administration/admin_api/
 */
export function adminRoute<
  Q extends TObject | undefined = undefined,
  const B extends TSchema | 'object' | 'json' | undefined = undefined,
>(definition: Omit<Route<'admin', Q, B>, 'auth'>): Route {
  const { handler } = definition
  return route<'admin', Q, B>({
    ...definition,
    auth: 'admin',
    async handler(call, services) {
      const act = {
        requestId: call.request.id,
        by: call.requester.userId,
        act: definition.id,
        on: shown(call.params),
      }
      const { adminActs, secondFactor } = services
      const changes = definition.method !== 'GET'
      if (changes) await adminActs.begin(act)
      let answer: object | Reply
      try {
        if (changes) await confirmWhereGuarded(secondFactor, act.by, call.request.headers)
        answer = await handler(call, services)
      } catch (error) {
        await adminActs.end(act, error instanceof MatrixError ? error.errcode : 'failed')
        throw error
      }
      await adminActs.end(act, 'done')
      return answer
    },
  })
}
