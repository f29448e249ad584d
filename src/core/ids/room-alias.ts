import { parseQualified, type QualifiedId } from './common.js'

/**
 * Parses a room alias, `#localpart:domain`, at most 255 bytes.
 * NOTSPEC: an empty localpart, which the grammar does not exclude, is refused: nobody can mean it.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#room-aliases
 */
export function parseRoomAlias(text: string): QualifiedId | undefined {
  const alias = parseQualified('#', text)
  return alias !== undefined && alias.localpart !== '' ? alias : undefined
}
export const isRoomAlias = (text: string): boolean => parseRoomAlias(text) !== undefined
