/** Somebody whom a directory shows. */
export interface FoundPerson {
  readonly userId: string
  readonly name: string | undefined
  readonly avatarUrl: string | undefined
}

/** A text as it is compared: whatever the case of its letters, and however they are put together. */
export const folded = (text: string): string => text.normalize('NFC').toLowerCase()

/** Whether a part of the user id, or of one of the names, is what is looked for. Pre: `needle` is folded. */
export const isMatch = (userId: string, names: readonly string[], needle: string): boolean =>
  userId.toLowerCase().includes(needle) || names.some((name) => folded(name).includes(needle))

/** Characters by which a text would look like another one: controls, and what turns the direction of writing. */
const INVISIBLE = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu

/**
 * A name with the label of the node that its bearer belongs to, as the node list has it: `Ana Ruiz [Finances]`. Square brackets that others
 * have written count for nothing: a label that stands at the end is taken off, and all others are made round.
 */
export function labelled(name: string, label: string): string {
  let plain = name.replaceAll(INVISIBLE, '').trim()
  while (plain.endsWith(']')) {
    const start = plain.lastIndexOf('[')
    if (start <= 0) break
    plain = plain.slice(0, start).trimEnd()
  }
  plain = plain.replaceAll(/[[【〔［]/g, '(').replaceAll(/[\]】〕］]/g, ')')
  return `${plain} [${label}]`
}
