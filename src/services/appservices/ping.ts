import { forbidden, MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Answer } from '../federation/exchange.js'
import { FederationError } from '../federation/federation-error.js'
import type { Requester } from '../requester.js'
import type { AppserviceClient } from './client.js'
import type { AppserviceRegistry } from './registry.js'

const TIMEOUT = 10_000
/** Characters of the answer of an application service that are shown to it. */
const MAX_BODY = 4_096

/**
 * Tells an application service whether it can be reached. Throws M_FORBIDDEN for another's id, M_URL_NOT_SET, M_BAD_STATUS, M_CONNECTION_FAILED,
 * M_CONNECTION_TIMEOUT. SPEC: https://spec.matrix.org/v1.19/application-service-api/#pinging
 */
export type PingAppservice = (
  requester: Requester,
  appserviceId: string,
  transactionId: string | undefined,
) => Promise<{ readonly duration_ms: number }>

export function createPing(deps: {
  readonly registry: AppserviceRegistry
  readonly client: AppserviceClient
  readonly clock: Pick<Clock, 'monotonic'>
  /** It answered. */
  onAnswer(appserviceId: string): void
}): PingAppservice {
  const { registry, client, clock } = deps
  return async (requester, appserviceId, transactionId) => {
    if (requester.appserviceId !== appserviceId)
      throw forbidden('The access token is not that of this application service')
    const appservice = registry.byId(appserviceId)
    if (appservice?.registration.url === undefined)
      throw new MatrixError('M_URL_NOT_SET', 'The application service has no address configured', {}, 400)
    const started = clock.monotonic()
    let answer: Answer
    try {
      answer = await client.ask(appservice, {
        method: 'POST',
        path: '/ping',
        body: JSON.stringify(transactionId === undefined ? {} : { transaction_id: transactionId }),
        timeoutMs: TIMEOUT,
      })
    } catch (error) {
      if (!(error instanceof FederationError)) throw error
      if (error.kind === 'timeout')
        throw new MatrixError(
          'M_CONNECTION_TIMEOUT',
          'The application service did not answer in time',
          {},
          504,
        )
      throw new MatrixError('M_CONNECTION_FAILED', error.message, {}, 502)
    }
    if (answer.status < 200 || answer.status > 299)
      throw new MatrixError(
        'M_BAD_STATUS',
        `The application service answered ${answer.status}`,
        { status: answer.status, body: Buffer.from(answer.body).toString('utf8').slice(0, MAX_BODY) },
        502,
      )
    deps.onAnswer(appserviceId)
    return { duration_ms: Math.round(clock.monotonic() - started) }
  }
}
