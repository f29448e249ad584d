import { appendTo } from '../../../core/append-to.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import type { Logger } from '../../../platform/logger.js'
import type { RoomsContext } from '../../rooms/context.js'
import { isShutOut } from '../peers/room-access.js'
import { isStoreTrouble } from './store-trouble.js'

/** Takes an EDU; true when its type was this handler's. Judges itself whether the EDU is its origin's to send. */
export type EduHandler = (origin: string, type: string, content: JsonObject) => Promise<boolean>

export interface EduDispatch {
  /**
   * Hands each EDU to the first handler that takes it; those of one user in order. One that fails is logged and passed over.
   * Throws only where the store cannot write now: the origin is then to send the transaction again.
   */
  dispatch(origin: string, edus: readonly Json[]): Promise<void>
}

export function createEduDispatch(deps: {
  readonly context: Pick<RoomsContext, 'loader' | 'events' | 'states'>
  readonly handlers: readonly EduHandler[]
  readonly logger: Logger
}): EduDispatch {
  const { context, handlers, logger } = deps

  async function maySpeak(origin: string, roomId: string): Promise<boolean> {
    const room = await context.loader.load(roomId)
    return room !== undefined && !(await isShutOut(context, room, origin))
  }

  /** Without what concerns rooms that the origin is shut out of; undefined where nothing is left. */
  async function admitted(
    origin: string,
    type: string,
    content: JsonObject,
  ): Promise<JsonObject | undefined> {
    if (type === 'm.typing') {
      const roomId = ownValue(content, 'room_id')
      return typeof roomId === 'string' && (await maySpeak(origin, roomId)) ? content : undefined
    }
    if (type === 'm.receipt') {
      const kept: [string, Json][] = []
      for (const [roomId, receipts] of Object.entries(content).slice(0, MAX_RECEIPT_ROOMS)) {
        if (await maySpeak(origin, roomId)) kept.push([roomId, receipts])
      }
      return kept.length === 0 ? undefined : Object.fromEntries(kept)
    }
    return content
  }

  async function one(origin: string, type: string, content: JsonObject): Promise<void> {
    const allowed = await admitted(origin, type, content)
    if (allowed === undefined) return
    for (const handler of handlers) if (await handler(origin, type, allowed)) return
  }

  async function inOrder(origin: string, edus: readonly Edu[]): Promise<void> {
    for (const { type, content } of edus) {
      try {
        await one(origin, type, content)
      } catch (error) {
        // An acknowledged message to a device may not be lost.
        if (isStoreTrouble(error)) throw error
        logger.warn({ err: error, origin, type }, 'an EDU of another server could not be processed')
      }
    }
  }

  return {
    async dispatch(origin, edus) {
      const lanes = new Map<string, Edu[]>()
      for (const json of edus) {
        const edu = readEdu(json)
        if (edu === undefined) continue
        const lane = userOf(edu)
        appendTo(lanes, lane, edu)
      }
      const done = await Promise.allSettled([...lanes.values()].map((lane) => inOrder(origin, lane)))
      for (const outcome of done) if (outcome.status === 'rejected') throw outcome.reason
    },
  }
}

interface Edu {
  readonly type: string
  readonly content: JsonObject
}

function readEdu(json: Json): Edu | undefined {
  const type = isObject(json) ? ownValue(json, 'edu_type') : undefined
  const content = isObject(json) ? ownValue(json, 'content') : undefined
  if (typeof type !== 'string' || type.length > 255 || !isObject(content)) return undefined
  return { type, content }
}

/** Whom an EDU is about; for receipts, which name their users deep inside, nobody. */
function userOf({ content }: Edu): string {
  const user = ownValue(content, 'sender') ?? ownValue(content, 'user_id')
  return typeof user === 'string' ? user : ''
}

/** A receipt EDU of an honest server names one room, or a few. */
const MAX_RECEIPT_ROOMS = 100
