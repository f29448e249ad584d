import { invalidParam } from '../../core/errors.js'

/** The results of a search that are of one room, or of one sender. */
export interface SearchGroup {
  readonly key: 'room_id' | 'sender'
  readonly value: string
}

/** Where a search goes on: so many results after the first of the part of the index that begins below an entry. */
export interface SearchPlace {
  readonly below: number
  readonly skip: number
  /** The part ends before this entry, however few results it has. */
  readonly until?: number | undefined
  readonly group?: SearchGroup | undefined
}

const TOKEN = /^q1_(-?\d{1,16})_(\d{1,6})(?:_u(-?\d{1,16}))?(?:_(room|sender)_([A-Za-z0-9_-]{1,700}))?$/

export function searchToken({ below, skip, until, group }: SearchPlace): string {
  const scope =
    group === undefined
      ? ''
      : `_${group.key === 'sender' ? 'sender' : 'room'}_${Buffer.from(group.value).toString('base64url')}`
  return `q1_${below}_${skip}${until === undefined ? '' : `_u${until}`}${scope}`
}

/** Throws M_INVALID_PARAM. */
export function parseSearchToken(text: string): SearchPlace {
  const match = TOKEN.exec(text)
  const below = Number(match?.[1])
  const until = match?.[3] === undefined ? undefined : Number(match[3])
  const isPlace = Number.isSafeInteger(below) && Number.isSafeInteger(until ?? 0)
  if (match === null || !isPlace) throw invalidParam('Not a token of this server')
  const [, , skip, , key, value = ''] = match
  return {
    below,
    skip: Number(skip),
    ...(until === undefined ? {} : { until }),
    ...(key === undefined
      ? {}
      : {
          group: {
            key: key === 'sender' ? ('sender' as const) : ('room_id' as const),
            value: Buffer.from(value, 'base64url').toString(),
          },
        }),
  }
}
