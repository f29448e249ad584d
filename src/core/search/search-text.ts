import { isObject, type Json, type JsonObject } from '../json/value.js'

/** What can be searched. */
export const SEARCH_KEYS = ['content.body', 'content.name', 'content.topic'] as const
export type SearchKey = (typeof SEARCH_KEYS)[number]

export interface SearchText {
  readonly key: SearchKey
  readonly text: string
}

/**
 * The text by which an event is found; undefined for all others, such as encrypted and redacted ones.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#room_events
 */
export function searchText(event: {
  readonly type: string
  readonly stateKey?: string | undefined
  readonly content: JsonObject
}): SearchText | undefined {
  const { type, stateKey, content } = event
  const { body, name } = content
  if (type === 'm.room.message')
    return typeof body === 'string' && stateKey === undefined
      ? { key: 'content.body', text: body }
      : undefined
  if (stateKey !== '') return undefined
  if (type === 'm.room.name')
    return typeof name === 'string' ? { key: 'content.name', text: name } : undefined
  if (type !== 'm.room.topic') return undefined
  const text = topicTexts(content).join('\n')
  return text === '' ? undefined : { key: 'content.topic', text }
}

/** The plain topic, and the plain representation beside it where that says something else. */
function topicTexts({ topic, 'm.topic': rich }: JsonObject): string[] {
  const texts = new Set(typeof topic === 'string' ? [topic] : [])
  const list: Json | undefined = isObject(rich) ? rich['m.text'] : undefined
  for (const item of Array.isArray(list) ? (list as readonly Json[]).slice(0, 10) : []) {
    if (!isObject(item) || typeof item['body'] !== 'string') continue
    if ((item['mimetype'] ?? 'text/plain') === 'text/plain') texts.add(item['body'])
  }
  return [...texts]
}
