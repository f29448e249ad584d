import type { Config } from './schema.js'

type Limits = Config['rate_limits']
type Budget = Exclude<Limits[keyof Limits], false>

/** The rate limits that are on, by name. */
export function rateLimitsOf(config: Config): Partial<Record<keyof Limits, Budget>> {
  const out: Partial<Record<keyof Limits, Budget>> = {}
  for (const name of Object.keys(config.rate_limits) as (keyof Limits)[]) {
    const budget = config.rate_limits[name]
    if (budget !== false) out[name] = budget
  }
  return out
}

/** What the landing page and the well-known files say, in the words of `services/node-info.ts`. */
export function nodeInfoOptionsOf(config: Config, version: string) {
  const { enabled, allow, well_known_server } = config.federation
  const { registration } = config
  return {
    serverName: config.server_name,
    version,
    federation: enabled ? (allow === null ? ('open' as const) : ('closed' as const)) : ('off' as const),
    registration: registration.enabled
      ? registration.flow === 'dummy'
        ? ('open' as const)
        : ('token' as const)
      : ('closed' as const),
    wellKnownClientExtra: config.well_known.client_extra,
    support: config.well_known.support,
    ...(config.public_baseurl === undefined ? {} : { publicBaseurl: config.public_baseurl }),
    ...(config.admin_contact === undefined ? {} : { adminContact: config.admin_contact }),
    ...(well_known_server === undefined ? {} : { wellKnownServer: well_known_server }),
  }
}
