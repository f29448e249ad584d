/** What its bytes say of a file, whatever its sender says. */
export const UNKNOWN_CONTENT = 'application/octet-stream'

/** How much of the beginning of a file is looked at. */
export const SNIFF_BYTES = 4_096

type Magic = readonly [offset: number, bytes: string, type: string]

/** In this order; `bytes` are Latin-1. */
const MAGIC: readonly Magic[] = [
  [0, '\x89PNG\r\n\x1a\n', 'image/png'],
  [0, '\xff\xd8\xff', 'image/jpeg'],
  [0, 'GIF87a', 'image/gif'],
  [0, 'GIF89a', 'image/gif'],
  [8, 'WEBP', 'image/webp'],
  [8, 'WAVE', 'audio/wav'],
  [8, 'AVI ', 'video/x-msvideo'],
  [0, '%PDF-', 'application/pdf'],
  [0, 'II*\0', 'image/tiff'],
  [0, 'MM\0*', 'image/tiff'],
  [0, 'OggS', 'application/ogg'],
  [0, 'fLaC', 'audio/flac'],
  [0, 'ID3', 'audio/mpeg'],
  [0, '\x1aE\xdf\xa3', 'video/webm'],
  [0, '\x7fELF', 'application/x-executable'],
  [0, 'PK\x03\x04', 'application/zip'],
  [0, 'PK\x05\x06', 'application/zip'],
  [0, '7z\xbc\xaf\x27\x1c', 'application/x-7z-compressed'],
  [0, 'Rar!\x1a\x07', 'application/vnd.rar'],
  [0, '\x1f\x8b\x08', 'application/gzip'],
  [0, 'BZh', 'application/x-bzip2'],
  [0, '\xfd7zXZ\0', 'application/x-xz'],
  [0, '\x28\xb5\x2f\xfd', 'application/zstd'],
  [257, 'ustar', 'application/x-tar'],
  [0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'application/x-ole-storage'],
  [0, '{\\rtf', 'application/rtf'],
  [0, '\xca\xfe\xba\xbe', 'application/java-vm'],
]

/** The brand of a file of ISO boxes, at byte 8. */
const BRANDS: readonly (readonly [string, string])[] = [
  ['avi', 'image/avif'],
  ['hei', 'image/heic'],
  ['hev', 'image/heic'],
  ['mif1', 'image/heif'],
  ['M4A', 'audio/mp4'],
  ['qt', 'video/quicktime'],
]

/** What a ZIP file is that begins with such an entry. */
const IN_ZIP: readonly (readonly [string, string])[] = [
  ['word/', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['xl/', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['ppt/', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'],
]
const ODF = 'mimetypeapplication/vnd.oasis.opendocument.'

/**
 * The media type of a file by its first bytes (up to SNIFF_BYTES count); UNKNOWN_CONTENT where they say nothing. `text/plain` is whatever reads as text.
 * Encrypted bytes are as good as never taken for anything: they would have to begin like a file, or be text to the last byte.
 */
export function sniffType(bytes: Uint8Array): string {
  const head = bytes.subarray(0, SNIFF_BYTES)
  const text = latin1(head)
  if (text.startsWith('MZ') && isProgram(head, text)) return 'application/x-msdownload'
  if (text.startsWith('BM') && isBitmap(head)) return 'image/bmp'
  if (text.startsWith('ftyp', 4))
    return BRANDS.find(([brand]) => text.startsWith(brand, 8))?.[1] ?? 'video/mp4'
  for (const [offset, magic, type] of MAGIC) {
    if (!text.startsWith(magic, offset)) continue
    if (type === 'application/zip') return ofZip(text)
    if (offset === 8 && !text.startsWith('RIFF')) continue
    return type
  }
  if (!isText(head)) return isMpegAudio(head) ? 'audio/mpeg' : UNKNOWN_CONTENT
  return ofText(text)
}

function ofZip(text: string): string {
  const at = text.indexOf(ODF)
  if (at !== -1 && at < 64) {
    const kind = /^[a-z-]{1,40}/.exec(text.slice(at + ODF.length))?.[0] ?? ''
    return `application/vnd.oasis.opendocument.${kind.replace(/PK$/, '')}`
  }
  return IN_ZIP.find(([name]) => text.includes(name))?.[1] ?? 'application/zip'
}

function ofText(text: string): string {
  if (text.startsWith('#!')) return 'text/x-shellscript'
  const start = text
    .slice(0, 1_024)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
    .toLowerCase()
  if (start.startsWith('<!doctype html') || start.startsWith('<html')) return 'text/html'
  if (start.startsWith('<svg') || (start.startsWith('<?xml') && start.includes('<svg')))
    return 'image/svg+xml'
  if (start.startsWith('<?xml')) return 'text/xml'
  return 'text/plain'
}

/** "MZ" alone begins one in 65,536 encrypted files: the header must have the fields that all programs have. */
function isProgram(head: Uint8Array, text: string): boolean {
  if (head.length < 64) return true
  const at = head[0x3c]! | (head[0x3d]! << 8)
  if (head[0x3e] === 0 && head[0x3f] === 0) return true
  return text.startsWith('PE\0\0', at)
}

const isBitmap = (head: Uint8Array): boolean =>
  head.length > 30 && head[6] === 0 && head[7] === 0 && head[8] === 0 && head[9] === 0 && head[26] === 1

/** Two frames of the same kind, where the second one lies within what is looked at. */
function isMpegAudio(head: Uint8Array): boolean {
  if (head[0] !== 0xff || head.length < 4) return false
  const second = head[1]!
  if (second !== 0xfb && second !== 0xf3 && second !== 0xf2 && second !== 0xfa) return false
  for (let at = 24; at < Math.min(head.length - 1, 1_500); at++)
    if (head[at] === 0xff && head[at + 1] === second) return true
  return false
}

/** UTF-8 without control characters but those of layout. What was cut at the end of the look may lack the end of a character. */
function isText(head: Uint8Array): boolean {
  for (let at = 0; at < head.length; at++) {
    const byte = head[at]!
    if (byte >= 0x80) {
      const more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1
      if (byte < 0xc2 || byte > 0xf4) return false
      for (let next = 1; next <= more; next++) {
        if (at + next >= head.length) return head.length === SNIFF_BYTES
        if ((head[at + next]! & 0xc0) !== 0x80) return false
      }
      at += more
    } else if (byte < 0x20 ? byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 : byte === 0x7f) {
      return false
    }
  }
  return true
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 1_024)
    text += String.fromCharCode(...bytes.subarray(at, at + 1_024))
  return text
}
