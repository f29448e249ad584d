/** Signs that people take for each other, as one of them. */
const SAME: readonly (readonly [string, string])[] = [
  ['rn', 'm'],
  ['vv', 'w'],
  ['cl', 'd'],
  ['0', 'o'],
  ['1', 'l'],
  ['i', 'l'],
  ['5', 's'],
  ['-', ''],
  ['_', ''],
]

/** What is left of a name when all that is easily mistaken is made the same. */
export function skeletonOf(name: string): string {
  let text = name
  for (const [from, to] of SAME) text = text.replaceAll(from, to)
  return text
}

/** Pairs of names that differ, but hardly to the eye; each name with the first one that it resembles. */
export function lookAlikes(names: readonly string[]): readonly (readonly [string, string])[] {
  const first = new Map<string, string>()
  const pairs: (readonly [string, string])[] = []
  for (const name of names) {
    const skeleton = skeletonOf(name)
    const other = first.get(skeleton)
    if (other === undefined) first.set(skeleton, name)
    else if (other !== name) pairs.push([other, name])
  }
  return pairs
}
