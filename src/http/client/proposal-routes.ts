import type { Route } from '../route.js'
import { deleteDehydratedDevice } from './dehydrated-device/delete-dehydrated-device.js'
import { getDehydratedDevice } from './dehydrated-device/get-dehydrated-device.js'
import {
  getDehydratedDeviceEvents,
  postDehydratedDeviceEvents,
} from './dehydrated-device/get-dehydrated-device-events.js'
import { putDehydratedDevice } from './dehydrated-device/put-dehydrated-device.js'
import {
  cancelDelayedEvent,
  restartDelayedEvent,
  sendDelayedEvent,
} from './delayed-event/act-on-delayed-event.js'
import { getDelayedEvent } from './delayed-event/get-delayed-event.js'
import { getDelayedEvents } from './delayed-event/get-delayed-events.js'
import { scheduleDelayedEvent } from './delayed-event/schedule-delayed-event.js'
import { deleteThreadSubscription } from './thread-subscription/delete-thread-subscription.js'
import { getThreadSubscription } from './thread-subscription/get-thread-subscription.js'
import { getThreadSubscriptions } from './thread-subscription/get-thread-subscriptions.js'
import { putThreadSubscription } from './thread-subscription/put-thread-subscription.js'

/** What clients rely on although no release of the specification has it. */
export const proposalRoutes: readonly Route[] = [
  scheduleDelayedEvent,
  getDelayedEvents,
  getDelayedEvent,
  sendDelayedEvent,
  cancelDelayedEvent,
  restartDelayedEvent,
  putDehydratedDevice,
  getDehydratedDevice,
  deleteDehydratedDevice,
  getDehydratedDeviceEvents,
  postDehydratedDeviceEvents,
  getThreadSubscription,
  putThreadSubscription,
  deleteThreadSubscription,
  getThreadSubscriptions,
]
