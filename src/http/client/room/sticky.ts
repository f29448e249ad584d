import { Type } from 'typebox'
import { MAX_STICKY_MS } from '../../../core/event/sticky.js'

/** For how many milliseconds an event is to reach everybody. NOTSPEC: MSC4354. */
export const STICKY_MS = Type.Integer({ minimum: 0, maximum: MAX_STICKY_MS })
