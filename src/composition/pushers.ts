import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import type { Transport } from '../services/federation/transport.js'
import type { Mailer } from '../services/mail/mailer.js'
import type { PushRules } from '../services/push/push-rules.js'
import { createGateways } from '../services/pushers/gateway.js'
import { createJudge } from '../services/pushers/judge.js'
import { createMailDigest } from '../services/pushers/mail-digest.js'
import { createNotifications, type Notifications } from '../services/pushers/notifications.js'
import { createPlanner, type Planner } from '../services/pushers/planner.js'
import { createPushers, type Pushers } from '../services/pushers/pushers.js'
import { createPushSender, type PushSender } from '../services/pushers/sender.js'
import type { PushWatch } from '../services/pushers/watch.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { WorkingRoom } from '../services/rooms/working-room.js'
import type { ClientViews } from '../services/timeline/client-view.js'
import type { Tx } from '../storage/tx.js'
import type { RoomsPartsDeps } from './rooms.js'

/** What tells people of events while their client is not open. */
export interface PushParts {
  readonly pushers: Pushers
  readonly notifications: Notifications
  readonly planner: Planner
  readonly pushSender: PushSender
  /** Once the node runs: judges and tells what waits. Before that nothing is told. */
  start(): Promise<void>
  /** Ends what is under way; nothing that waits is lost. */
  close(): Promise<void>
}

/** What rooms are given, so that nothing that concerns somebody with a pusher is lost. `also`: what else they write. */
export const stagingHooks = (
  watch: PushWatch,
  wake: () => void,
  also: ((room: WorkingRoom) => Tx<void>) | undefined,
): Pick<RoomsPartsDeps, 'stage' | 'onEvents' | 'onOutside'> => ({
  stage: {
    *events(room) {
      yield* watch.stageEvents(room)
      if (also !== undefined) yield* also(room)
    },
    invite: watch.stageInvite,
  },
  onEvents(room) {
    if (watch.concerns(room)) wake()
  },
  onOutside(userId) {
    if (watch.users.has(userId)) wake()
  },
})

export function buildPushers(deps: {
  readonly config: Config
  readonly context: RoomsContext
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly transport: Pick<Transport, 'http' | 'policy'>
  readonly mailer: Mailer | undefined
  readonly pushRules: PushRules
  readonly watch: PushWatch
  readonly views: ClientViews
}): PushParts {
  const { config, context, mailer, watch, logger } = deps
  const { push } = config
  const judge = createJudge(deps)
  let started = false
  const pushSender = createPushSender({
    ...deps,
    gateways: createGateways({ http: deps.transport.http, options: { allowHttp: push.allow_http } }),
    mail:
      mailer === undefined
        ? () => Promise.resolve(undefined)
        : createMailDigest({
            ...deps,
            mailer,
            options: {
              publicBaseurl: (config.public_baseurl ?? '').replace(/\/$/, ''),
              delayMs: push.mail_delay,
            },
          }),
    options: {
      backoff: { initialMs: push.retry.initial, maxMs: push.retry.max },
      giveUpMs: push.give_up,
    },
  })
  const wake = (pusherIds: Iterable<number>): void => {
    if (started) pushSender.wake(pusherIds)
  }
  const planner = createPlanner({ ...deps, judge, watched: watch.users, onQueued: wake })
  const pushers = createPushers({
    ...deps,
    store: context.store,
    gatewayRules: {
      allowHttp: push.allow_http,
      allowsAddress: (address) => deps.transport.policy.allows(address),
    },
    sendsMail: mailer !== undefined,
    wake,
    onError: (error) => logger.warn({ err: error }, 'numbers of unread messages are not told'),
  })
  return {
    pushers,
    notifications: createNotifications({ context, views: deps.views, judge }),
    pushSender,
    planner: {
      wake() {
        if (started) planner.wake()
      },
      close: () => planner.close(),
    },
    async start() {
      started = true
      planner.wake()
      await pushSender.resume()
    },
    async close() {
      await planner.close()
      await pushSender.close()
    },
  }
}
