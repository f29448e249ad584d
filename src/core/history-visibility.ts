/**
 * Who may see an event, by the room's history visibility when it was sent.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility
 */
export type HistoryVisibility = 'world_readable' | 'shared' | 'invited' | 'joined'

export const readVisibility = (value: unknown): HistoryVisibility =>
  value === 'world_readable' || value === 'invited' || value === 'joined' ? value : 'shared'

/**
 * `membership` is the user's when the event was sent (the better of before and after it, where the event changes that),
 * `joinedSince` whether they joined then or at any time after.
 */
export function mayReadEvent(
  visibility: HistoryVisibility,
  membership: string | undefined,
  joinedSince: boolean,
): boolean {
  if (visibility === 'world_readable' || membership === 'join') return true
  if (visibility === 'shared') return joinedSince
  return visibility === 'invited' && membership === 'invite'
}
