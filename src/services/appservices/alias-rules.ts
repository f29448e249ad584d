import { MatrixError } from '../../core/errors.js'
import type { AliasRules } from '../rooms/aliases.js'
import type { AppserviceQueries } from './queries.js'
import type { AppserviceRegistry } from './registry.js'

/** SPEC: https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions */
export function createAliasRules(deps: {
  readonly registry: AppserviceRegistry
  readonly queries: Pick<AppserviceQueries, 'makeAlias'>
}): AliasRules {
  const { registry, queries } = deps
  const controls: AliasRules['controls'] = ({ appserviceId }, alias) =>
    appserviceId !== undefined && registry.byId(appserviceId)?.ownsAlias(alias) === true
  return {
    controls,
    check(requester, alias) {
      const { appserviceId } = requester
      if (appserviceId !== undefined && !controls(requester, alias))
        throw new MatrixError('M_EXCLUSIVE', "The alias is not in the application service's namespace")
      const owner = registry.exclusiveAliasOwner(alias)
      if (owner !== undefined && owner !== appserviceId)
        throw new MatrixError('M_EXCLUSIVE', 'The alias is kept for an application service')
    },
    make: (alias) => queries.makeAlias(alias),
  }
}
