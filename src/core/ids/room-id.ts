import { isUrlSafeHash, parseQualified, type QualifiedId } from './common.js'

/**
 * Parses a room id of room versions 1–11, `!opaque:domain`.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#room-ids
 */
export const parseOpaqueRoomId = (text: string): QualifiedId | undefined => parseQualified('!', text)

/** True for a room id of room version 12: `!` and the reference hash of the create event. */
export const isHashRoomId = (text: string): boolean => text.startsWith('!') && isUrlSafeHash(text.slice(1))

/** Where the version is not known: `domain` is undefined for ids of room version 12. */
export function parseRoomId(
  text: string,
): { readonly localpart: string; readonly domain: string | undefined } | undefined {
  return isHashRoomId(text) ? { localpart: text.slice(1), domain: undefined } : parseOpaqueRoomId(text)
}
export const isRoomId = (text: string): boolean => parseRoomId(text) !== undefined

/** The event that a room id of room version 12 names, and the other way. */
export const createEventIdOf = (roomId: string): string => `$${roomId.slice(1)}`
export const roomIdOfCreate = (eventId: string): string => `!${eventId.slice(1)}`
