/** A thread that resolves conflicts of states that are too large for the event loop, one at a time. */
import { parentPort } from 'node:worker_threads'
import { resolvePortable, type PortableEvent } from '../core/state/portable.js'
import { verifySignatureBy } from '../platform/ed25519.js'
import type { ResolutionAnswer, ResolutionMessage } from './state-resolution-protocol.js'

let events: PortableEvent[] = []

function answer(message: Extract<ResolutionMessage, { kind: 'resolve' }>): ResolutionAnswer {
  const taken = events
  events = []
  try {
    return { ok: true, resolved: resolvePortable(message.resolution, taken, verifySignatureBy) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

parentPort!.on('message', (message: ResolutionMessage) => {
  if (message.kind === 'resolve') parentPort!.postMessage(answer(message))
  else for (const event of message.events) events.push(event)
})
