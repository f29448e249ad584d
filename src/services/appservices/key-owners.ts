import { appendTo } from '../../core/append-to.js'
import { parseJson } from '../../core/json/parse.js'
import type { Json } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import { createSemaphore, SemaphoreFullError, type Semaphore } from '../../platform/semaphore.js'
import type { KeyOwners, KeyOwnersAnswer } from '../e2ee/key-owners.js'
import { FederationError } from '../federation/federation-error.js'
import type { AppserviceClient } from './client.js'
import type { Appservice, AppserviceRegistry } from './registry.js'

/** Milliseconds: somebody waits to send a message. */
const TIMEOUT = 10_000
/** One that has no such endpoint is not asked again for so long; one that fails, for a little while. Milliseconds. */
const UNKNOWN_KEPT = 3_600_000
const FAILED_KEPT = 30_000
/** Questions at once to each; and those that may wait for their turn. */
const AT_ONCE = 16
const WAITING = 100

const CLAIM = '/_matrix/app/unstable/org.matrix.msc3983'
const QUERY = '/_matrix/app/unstable/org.matrix.msc3984'

/** Asks application services for keys of the users whom they have for themselves. */
export function createKeyOwners(deps: {
  readonly registry: AppserviceRegistry
  readonly client: Pick<AppserviceClient, 'ask'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly logger: Logger
}): KeyOwners {
  const { registry, client, clock, logger } = deps
  const asked = registry.all.filter(({ registration }) => registration.url !== undefined)
  const turns = new Map<string, Semaphore>(
    asked.map((one) => [one.id, createSemaphore({ permits: AT_ONCE, maxWaiting: WAITING })]),
  )
  /** Until when one is not asked, by its id and what for. */
  const pauses = createLru<string, number>({ max: 1_000 })

  const ownerOf = (userId: string): Appservice | undefined => asked.find((one) => one.hasForItself(userId))

  async function askOne(
    appservice: Appservice,
    base: string,
    path: string,
    body: object,
  ): Promise<Json | undefined> {
    const key = `${base} ${appservice.id}`
    const pause = (ms: number): void => pauses.set(key, clock.monotonic() + ms)
    if ((pauses.get(key) ?? 0) > clock.monotonic()) return undefined
    try {
      const answer = await turns.get(appservice.id)!.run(() =>
        client.ask(appservice, {
          method: 'POST',
          base,
          path,
          body: JSON.stringify(body),
          timeoutMs: TIMEOUT,
        }),
      )
      if (answer.status === 404 || answer.status === 405) {
        pause(UNKNOWN_KEPT)
        return undefined
      }
      const parsed = answer.status === 200 ? parseJson(answer.body) : undefined
      if (parsed?.ok === true) return parsed.value
      throw new FederationError('bad-response', `the application service answered ${answer.status}`)
    } catch (error) {
      if (!(error instanceof FederationError) && !(error instanceof SemaphoreFullError)) throw error
      if (error instanceof FederationError) pause(FAILED_KEPT)
      logger.info(
        { appservice: appservice.id, reason: error.message },
        'an application service does not say the keys of its users',
      )
      return undefined
    }
  }

  /** Each is asked for its own users, all at once. */
  async function ask(
    base: string,
    path: string,
    wishes: Readonly<Record<string, unknown>>,
  ): Promise<KeyOwnersAnswer[]> {
    const users = new Map<Appservice, string[]>()
    for (const userId of Object.keys(wishes)) {
      const owner = ownerOf(userId)
      if (owner !== undefined) appendTo(users, owner, userId)
    }
    const answers = await Promise.all(
      [...users].map(async ([appservice, userIds]) => {
        const body = Object.fromEntries(userIds.map((userId) => [userId, wishes[userId]]))
        return { userIds: new Set(userIds), json: await askOne(appservice, base, path, body) }
      }),
    )
    return answers.flatMap(({ userIds, json }) => (json === undefined ? [] : [{ userIds, json }]))
  }

  return {
    owns: (userId) => asked.length > 0 && ownerOf(userId) !== undefined,
    query: (devices) => ask(QUERY, '/keys/query', devices),
    claim: (wishes) => ask(CLAIM, '/keys/claim', wishes),
  }
}
