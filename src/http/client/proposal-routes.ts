import type { Route } from '../route.js'
import {
  cancelDelayedEvent,
  restartDelayedEvent,
  sendDelayedEvent,
} from './delayed-event/act-on-delayed-event.js'
import { getDelayedEvent } from './delayed-event/get-delayed-event.js'
import { getDelayedEvents } from './delayed-event/get-delayed-events.js'
import { scheduleDelayedEvent } from './delayed-event/schedule-delayed-event.js'

/** What clients rely on although no release of the specification has it. */
export const proposalRoutes: readonly Route[] = [
  scheduleDelayedEvent,
  getDelayedEvents,
  getDelayedEvent,
  sendDelayedEvent,
  cancelDelayedEvent,
  restartDelayedEvent,
]
