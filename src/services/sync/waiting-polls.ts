/** The long polls of users that wait. */
export interface WaitingPolls {
  /** A place among the user's waiting polls; the oldest of too many is answered at once. The signal is that of the request, or of giving way. */
  enter(userId: string, signal: AbortSignal): { readonly signal: AbortSignal; leave(): void }
}

/** Long polls of one user that wait at once; the oldest gives way. */
const MAX_WAITING_PER_USER = 50

export function createWaitingPolls(max = MAX_WAITING_PER_USER): WaitingPolls {
  const waitingOf = new Map<string, Set<AbortController>>()

  return {
    enter(userId, signal) {
      const controller = new AbortController()
      const mine = waitingOf.get(userId) ?? new Set()
      waitingOf.set(userId, mine)
      mine.add(controller)
      if (mine.size > max) mine.values().next().value?.abort()
      const stop = (): void => controller.abort()
      if (signal.aborted) stop()
      else signal.addEventListener('abort', stop, { once: true })
      return {
        signal: controller.signal,
        leave() {
          signal.removeEventListener('abort', stop)
          mine.delete(controller)
          if (mine.size === 0) waitingOf.delete(userId)
        },
      }
    },
  }
}
