/** Bytes at the beginning of a page in which it may name its character encoding, as browsers look. */
const SNIFFED = 1_024
const IN_HEADER = /;\s{0,9}charset\s{0,9}=\s{0,9}"?([\w.:-]{1,40})/i
const IN_PAGE = /<(?:meta|\?xml)[^>]{0,300}?(?:charset|encoding)\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})/i
const MARKS: readonly (readonly [readonly number[], string])[] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xfe, 0xff], 'utf-16be'],
  [[0xff, 0xfe], 'utf-16le'],
]

/**
 * The text of a page: by its byte order mark, by its `Content-Type`, or by what it says itself; UTF-8 where none of these
 * names an encoding that there is.
 */
export function pageText(bytes: Uint8Array, contentType: string): string {
  const mark = MARKS.find(([prefix]) => prefix.every((byte, index) => bytes[index] === byte))?.[1]
  const named = IN_HEADER.exec(contentType)?.[1]
  const own = IN_PAGE.exec(Buffer.from(bytes.subarray(0, SNIFFED)).toString('latin1'))?.[1]
  // A page that could be read as latin1 so far is not in UTF-16, whatever it says.
  const inPage = own !== undefined && /^utf-?16/i.test(own) ? 'utf-8' : own
  for (const label of [mark, named, inPage]) {
    if (label === undefined) continue
    try {
      const decoder = new TextDecoder(label)
      const text = decoder.decode(bytes)
      return decoder.encoding === 'windows-1252' ? text.replace(/[\x80-\x9f]/g, fromC1) : text
    } catch {
      // No such encoding: what comes next may know better.
    }
  }
  return new TextDecoder().decode(bytes)
}

/** What windows-1252 has where Node's decoder leaves control characters, as if it were latin1. */
const C1 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'
const fromC1 = (char: string): string => C1[char.charCodeAt(0) - 0x80] ?? char
