import { MatrixError, invalidParam } from '../../core/errors.js'
import { isRoomAlias } from '../../core/ids/room-alias.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Aliases } from './aliases.js'

const MAX_ALIASES = 100

/** The aliases that an `m.room.canonical_alias` names, whatever else stands there. */
export function aliasesIn(content: JsonObject): Set<string> {
  const { alias, alt_aliases: others } = content
  const list: readonly Json[] = [alias ?? null, ...(Array.isArray(others) ? (others as readonly Json[]) : [])]
  return new Set(list.filter((item): item is string => typeof item === 'string' && item !== ''))
}

function checkFormat(content: JsonObject): void {
  const { alias, alt_aliases: others } = content
  if (alias !== undefined && alias !== null && typeof alias !== 'string')
    throw invalidParam('alias must be a string')
  if (others === undefined) return
  const areStrings =
    Array.isArray(others) && (others as readonly Json[]).every((item) => typeof item === 'string')
  if (!areStrings) throw invalidParam('alt_aliases must be a list of strings')
}

/**
 * Aliases that are new in a room's `m.room.canonical_alias` must be well formed and point to the room; those that stand there already are
 * left alone. Throws M_INVALID_PARAM, M_BAD_ALIAS.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
 */
export async function checkCanonicalAlias(
  aliases: Pick<Aliases, 'resolve'>,
  roomId: string,
  content: JsonObject,
  current: JsonObject | undefined,
): Promise<void> {
  checkFormat(content)
  const known = aliasesIn(current ?? {})
  const fresh = [...aliasesIn(content)].filter((alias) => !known.has(alias))
  if (fresh.length > MAX_ALIASES) throw invalidParam(`At most ${MAX_ALIASES} aliases can be added at once`)
  for (const alias of fresh) {
    if (!isRoomAlias(alias)) throw invalidParam(`${alias} is not a room alias`)
  }
  for (const alias of fresh) {
    const found = await aliases.resolve(alias).catch((error: unknown) => {
      if (error instanceof MatrixError) return undefined
      throw error
    })
    if (found?.room_id !== roomId)
      throw new MatrixError('M_BAD_ALIAS', `The alias ${alias} does not point to this room`)
  }
}
