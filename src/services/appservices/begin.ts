import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import {
  addAppservices,
  deleteRoomsOfAppservices,
  deleteWaitingFor,
  knownAppservices,
} from '../../storage/tables/appservices.js'
import { insertUser, usersByIds } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { AppserviceRegistry } from './registry.js'

/**
 * At start: the user of each application service exists, each new one is told what happens from now on, and what waited for those that are
 * registered no more is forgotten.
 */
export async function beginAppservices(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly registry: AppserviceRegistry
}): Promise<void> {
  const { store, clock, logger, registry } = deps
  const known = await store.read('appservices.known', () => knownAppservices())
  const isTold = (id: string): boolean => registry.byId(id)?.registration.url !== undefined
  const gone = known.filter((id) => !isTold(id))
  if (gone.length > 0) {
    await store.write('appservices.forget', function* () {
      yield* deleteWaitingFor(gone)
      yield* deleteRoomsOfAppservices(gone.filter((id) => registry.byId(id) === undefined))
    })
    logger.info(
      { appservices: gone },
      'what waited for application services that are told nothing any more is forgotten',
    )
  }
  if (registry.all.length === 0) return
  const position = await store.position()
  const users = await store.read('appservices.users', () =>
    usersByIds(registry.all.map((one) => one.senderUserId)),
  )
  const byId = new Map(users.map((row) => [row.user_id, row]))
  for (const { id, senderUserId } of registry.all) {
    const user = byId.get(senderUserId)
    if (user === undefined)
      await store.write('appservices.sender', () =>
        insertUser({
          userId: senderUserId,
          passwordHash: null,
          createdTs: clock.now(),
          isGuest: false,
          isAdmin: false,
          appserviceId: id,
        }),
      )
    else if (user.appservice_id !== id)
      logger.warn(
        { appservice: id, userId: senderUserId },
        'the user of an application service is an account that was made otherwise',
      )
  }
  const fresh = registry.all.map((one) => one.id).filter((id) => isTold(id) && !known.includes(id))
  if (fresh.length > 0) await store.write('appservices.add', () => addAppservices(fresh, position))
}
