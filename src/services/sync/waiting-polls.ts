/** The long polls of users that wait. */
export interface WaitingPolls {
  /** A place among the user's waiting polls; the oldest of too many is asked to give way, by answering at once. */
  enter(userId: string, giveWay?: () => void): { leave(): void }
}

/** Long polls of one user that wait at once; the oldest gives way. */
const MAX_WAITING_PER_USER = 50

export function createWaitingPolls(max = MAX_WAITING_PER_USER): WaitingPolls {
  const waitingOf = new Map<string, Set<{ readonly giveWay: (() => void) | undefined }>>()

  return {
    enter(userId, giveWay) {
      const place = { giveWay }
      const mine = waitingOf.get(userId) ?? new Set()
      waitingOf.set(userId, mine)
      mine.add(place)
      if (mine.size > max) mine.values().next().value?.giveWay?.()
      return {
        leave() {
          mine.delete(place)
          if (mine.size === 0 && waitingOf.get(userId) === mine) waitingOf.delete(userId)
        },
      }
    },
  }
}
