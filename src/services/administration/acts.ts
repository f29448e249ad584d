import type { Logger } from '../../platform/logger.js'

/** What an administrator did, or tried to do. */
export interface AdminAct {
  readonly requestId: string
  /** The administrator's user id. */
  readonly by: string
  /** The operation, as the route names it. */
  readonly act: string
  /** On whom or what: the parameters of the path. */
  readonly on: Readonly<Record<string, string>>
  /** `done`, or the errcode of the refusal. */
  readonly outcome: string
}

/** Keeps what administrators do: one line of the log for each act, those that were refused too, without its content. */
export interface AdminActs {
  record(act: AdminAct): void
}

const MAX_NAME = 255

export function createAdminActs(deps: { readonly logger: Logger }): AdminActs {
  return {
    record({ requestId, by, act, on, outcome }) {
      const target = Object.fromEntries(
        Object.entries(on).map(([name, value]) => [name, value.slice(0, MAX_NAME)]),
      )
      deps.logger.info({ requestId, by, act, on: target, outcome }, 'act of an administrator')
    },
  }
}
