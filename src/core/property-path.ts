/**
 * Splits `content.m\.relates_to.rel_type` into its parts; a backslash takes the next dot or backslash literally.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths
 */
export function splitPath(path: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let i = 0; i < path.length; i++) {
    const next = path[i + 1]
    if (path[i] === '\\' && (next === '.' || next === '\\')) {
      part += next
      i++
    } else if (path[i] === '.') {
      parts.push(part)
      part = ''
    } else {
      part += path[i]
    }
  }
  return [...parts, part]
}
