/**
 * Matches `*` (any characters) and `?` (one character), the rest literally, in linear time times the pattern: no regular
 * expression sees a stranger's pattern. SPEC: https://spec.matrix.org/v1.19/appendices/#glob-style-matching
 */
export function compileGlob(pattern: string): (text: string) => boolean {
  const glob = [...pattern]
  return (text) => {
    const input = [...text]
    let p = 0
    let t = 0
    let star = -1
    let mark = 0
    while (t < input.length) {
      if (p < glob.length && glob[p] === '*') {
        star = p++
        mark = t
      } else if (p < glob.length && (glob[p] === '?' || glob[p] === input[t])) {
        p++
        t++
      } else if (star !== -1) {
        p = star + 1
        t = ++mark
      } else {
        return false
      }
    }
    while (p < glob.length && glob[p] === '*') p++
    return p === glob.length
  }
}
