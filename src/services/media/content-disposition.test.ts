import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { contentDisposition, fileNameFrom, storedFileName } from './content-disposition.js'
import { mayBeInline, storedContentType } from './content-type.js'

describe('Content-Disposition', () => {
  it.each([
    'TEXT/HTML',
    'text/html; x=image/png',
    'text/html',
    ' text/html',
    'image/png, text/html',
    'application/xhtml+xml',
    'image/svg+xml',
    'text/xml',
    'application/xml',
    'application/pdf',
    'text/javascript',
    'application/octet-stream',
    '',
  ])('is attachment for %j', (type) => {
    expect(contentDisposition(type, null)).toBe('attachment')
  })

  it.each(['image/png', 'IMAGE/PNG', ' image/png ; charset=x', 'text/plain;charset=utf-8', 'video/mp4'])(
    'is inline for %j',
    (type) => {
      expect(contentDisposition(type, null)).toBe('inline')
      expect(mayBeInline(type)).toBe(true)
    },
  )

  it('gives plain names as they are, others quoted, those beyond ASCII encoded', () => {
    expect(contentDisposition('image/png', 'cat.png')).toBe('inline; filename=cat.png')
    expect(contentDisposition('image/png', 'a "b"\\c;d.png')).toBe('inline; filename="a \\"b\\"\\\\c;d.png"')
    expect(contentDisposition('image/png', 'é€😀.png')).toBe(
      "inline; filename*=utf-8''%C3%A9%E2%82%AC%F0%9F%98%80.png",
    )
  })

  it('cannot be broken out of by a name', () => {
    const name = 'x"\r\nSet-Cookie: a=b\r\n\r\n<script>'
    const header = contentDisposition('image/png', name)
    expect(header).not.toMatch(/[\r\n]/)
    expect(fileNameFrom(header)).toBe('x"Set-Cookie: a=b<script>')
    expect(storedFileName('\u0000\r\n')).toBeNull()
    expect(storedFileName('\ud800a')).toBe('\ufffda')
    expect(Buffer.from(storedFileName('€'.repeat(5000))!).length).toBeLessThanOrEqual(1024)
    expect(storedFileName('€'.repeat(5000))!.endsWith('\ufffd')).toBe(false)
  })

  it('is printable ASCII and reads back as the name that was stored, whatever the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (name) => {
        const header = contentDisposition('text/html', name)
        expect(header).toMatch(/^attachment(; [\x20-\x7e]+)?$/)
        const stored = storedFileName(name)
        // A quoted-string keeps inner blanks, but a bare header value is trimmed by readers.
        expect(fileNameFrom(header)).toBe(stored)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['attachment; filename="a.txt"', 'a.txt'],
    ["inline; filename=plain.txt; filename*=UTF-8''%e2%82%ac.txt", '€.txt'],
    ["inline; filename*=utf-8''%ff%zz; filename=back.txt", 'back.txt'],
    ["inline; filename*=latin1''%e9; filename=back.txt", 'back.txt'],
    ['inline; filename="unfinished', null],
    ['inline; filename=a; filename=b', null],
    ['inline', null],
    [`inline; filename=${'a'.repeat(10_000)}`, null],
  ])('of another server, %j, gives %j', (header, name) => {
    expect(fileNameFrom(header)).toBe(name)
  })
})

describe('the stored type', () => {
  it('is what was declared when it is a type, and unknown bytes otherwise', () => {
    expect(storedContentType(' Text/HTML; charset=utf-8 ')).toBe('Text/HTML; charset=utf-8')
    for (const bad of [
      undefined,
      '',
      'png',
      'a/b/c',
      'image/p\r\nng',
      'image/é',
      `a/${'b'.repeat(300)}`,
      '/',
      'a /b',
    ]) {
      expect(storedContentType(bad)).toBe('application/octet-stream')
    }
  })
})
