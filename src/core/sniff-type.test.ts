import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { sniffType, UNKNOWN_CONTENT } from './sniff-type.js'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

describe('what the bytes of a file say', () => {
  it.each([
    ['\x89PNG\r\n\x1a\n....', 'image/png'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['RIFF....WEBPVP8 ', 'image/webp'],
    ['....WEBP', 'text/plain'],
    ['RIFF....WAVEfmt ', 'audio/wav'],
    ['\0\0\0\x18ftypavif', 'image/avif'],
    ['\0\0\0\x18ftypmp42', 'video/mp4'],
    ['%PDF-1.7', 'application/pdf'],
    ['MZ', 'application/x-msdownload'],
    ['\x7fELF\x02', 'application/x-executable'],
    [
      'PK\x03\x04\x14\0\x06\0word/document.xml',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ],
    [
      'PK\x03\x04' + '\0'.repeat(26) + 'mimetypeapplication/vnd.oasis.opendocument.textPK',
      'application/vnd.oasis.opendocument.text',
    ],
    ['PK\x03\x04\0\0a.txt', 'application/zip'],
    ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'application/x-ole-storage'],
    ['#!/bin/sh\nrm -rf /', 'text/x-shellscript'],
    ['\xef\xbb\xbf  <!DOCTYPE html>', 'text/html'],
    ['<?xml version="1.0"?><svg xmlns="x">', 'image/svg+xml'],
    ['un \xc3\xa9t\xc3\xa9', 'text/plain'],
    ['un \xe9t\xe9', UNKNOWN_CONTENT],
    ['a\0b', UNKNOWN_CONTENT],
  ])('%j is %s', (text, type) => {
    expect(sniffType(bytes(text))).toBe(type)
  })

  it('are read to the end of what is looked at, where a character may be cut', () => {
    expect(sniffType(bytes('a' + '\xc3\xa9'.repeat(4_000)))).toBe('text/plain')
    expect(sniffType(bytes('a'.repeat(100) + '\xc3'))).toBe(UNKNOWN_CONTENT)
  })

  it('are as good as never anything where they are encrypted', () => {
    let known = 0
    for (let at = 0; at < 5_000; at++) {
      const parts = Array.from({ length: 8 }, (_, part) =>
        createHash('sha512').update(`${at}.${part}`).digest(),
      )
      if (sniffType(Buffer.concat(parts)) !== UNKNOWN_CONTENT) known++
    }
    expect(known).toBeLessThan(2)
  })
})
