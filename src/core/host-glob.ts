const STAR = 0x2a
const QUESTION_MARK = 0x3f

/**
 * Globs against server names. A list of them may fill an event, and each server meets it anew: nothing is compiled but a short form,
 * and a pattern that is longer than the name is not looked at.
 */
export interface HostGlob {
  /** `*` and `?` side by side stand with the question marks first and one asterisk at most: `*?*?` is `??*`. */
  readonly pattern: string
  /** The fewest characters that match. */
  readonly minLength: number
}

export function hostGlob(text: string): HostGlob {
  let pattern = ''
  let star = false
  let minLength = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === '*') star = true
    else {
      if (star && char !== '?') {
        pattern += '*'
        star = false
      }
      pattern += char
      minLength++
    }
  }
  return { pattern: star ? `${pattern}*` : pattern, minLength }
}

/**
 * Whether a whole name matches. After an asterisk the first place that fits is as good as any later one, so only the last asterisk is
 * ever gone back to. A name has at most 255 characters, of which a pattern that gets here is no longer.
 */
export function matchesHost({ pattern, minLength }: HostGlob, host: string): boolean {
  if (minLength > host.length) return false
  let p = 0
  let h = 0
  let star = -1
  let resume = 0
  while (h < host.length) {
    const c = pattern.charCodeAt(p)
    if (c === STAR) {
      star = p++
      resume = h
    } else if (c === QUESTION_MARK || c === host.charCodeAt(h)) {
      p++
      h++
    } else {
      if (star === -1) return false
      // What is left of the name must hold what is left of the pattern.
      p = star + 1
      h = ++resume
    }
  }
  return p === pattern.length || (p === pattern.length - 1 && pattern.charCodeAt(p) === STAR)
}
