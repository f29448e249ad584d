import { Readable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { boundaryOf, MultipartError, readMediaParts } from './multipart-reader.js'
import { multipartAnswer } from './multipart-writer.js'

const TYPE = 'multipart/mixed; boundary=b'

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string | Uint8Array, type = TYPE, size = 7) {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
  const part = await readMediaParts(type, cut(bytes, size))
  const chunks: Uint8Array[] = []
  for await (const chunk of part.content) chunks.push(chunk)
  return { headers: Object.fromEntries(part.headers), content: Buffer.concat(chunks) }
}

const META = '--b\r\nContent-Type: application/json\r\n\r\n{}'
const FILE = '\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello'
const END = '\r\n--b--'

describe('an answer in parts', () => {
  it('reads back as it was written, however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 400 }),
        async (bytes, size) => {
          const answer = multipartAnswer(
            {
              contentType: 'image/png',
              contentDisposition: 'inline; filename=a.png',
              size: bytes.length,
              content: Readable.from([Buffer.from(bytes)]),
            },
            'boundary',
          )
          const written = Buffer.concat(await answer.body.toArray())
          expect(written.length).toBe(answer.contentLength)
          expect(await read(written, answer.contentType, size)).toEqual({
            headers: { 'content-type': 'image/png', 'content-disposition': 'inline; filename=a.png' },
            content: Buffer.from(bytes),
          })
        },
      ),
      { numRuns: 200 },
    )
  })

  it('may hold what looks like a beginning of a delimiter', async () => {
    const content = 'a\r\n--\r\n-\r\r\n--B\r\n'
    for (let size = 1; size < 40; size++) {
      const parts = await read(META + FILE.replace('hello', content) + END, TYPE, size)
      expect(parts.content.toString('latin1')).toBe(content)
    }
  })

  it('may be empty, have a preamble, an epilogue, a quoted boundary and blanks after delimiters', async () => {
    expect((await read(META + FILE.replace('hello', '') + END)).content.length).toBe(0)
    const text = `preamble\r\n${META}${FILE.replaceAll('--b', '--b \t')}${END}\r\nepilogue`
    expect((await read(text, 'Multipart/Mixed; x=y; boundary="b"')).content.toString()).toBe('hello')
  })

  it.each([
    ['nothing', ''],
    ['no delimiter', 'hello'],
    ['no parts', '--b--'],
    ['the medium alone', FILE.slice(2) + END],
    ['metadata alone', META + END],
    ['metadata of another type', META.replace('application/json', 'text/plain') + FILE + END],
    ['metadata without a type', META.replace('Content-Type: application/json', 'X-A: b') + FILE + END],
    ['metadata that is no JSON', META.replace('{}', '{') + FILE + END],
    ['metadata that is a list', META.replace('{}', '[]') + FILE + END],
    ['metadata too large', META.replace('{}', `{"a":"${'x'.repeat(70_000)}"}`) + FILE + END],
    ['two files', META + FILE + FILE + END],
    ['a cut-off file', META + FILE],
    ['a cut-off end', `${META + FILE}\r\n--b-`],
    ['a header without a colon', META + FILE.replace('Content-Type:', 'Content-Type') + END],
    ['one header twice', META + FILE.replace('Content', 'Content-Type: a/b\r\nContent') + END],
    ['a folded header', META + FILE.replace('text/plain', 'text/plain\r\n x') + END],
    ['headers without end', `${META}\r\n--b\r\n${'X: y\r\n'.repeat(10_000)}`],
    ['many headers', META + FILE.replace('Content', `${Array.from({ length: 40 }, (_, i) => `X-${i}: y\r\n`).join('')}Content`) + END], // prettier-ignore
    ['a long preamble', 'x'.repeat(10_000) + META + FILE + END],
    ['junk after a delimiter', META + FILE.replace('--b', '--bc') + END],
    ['a line after a delimiter that never ends', `${META}\r\n--b${' '.repeat(1000)}`],
  ])('with %s is refused', async (_, text) => {
    for (const size of [1, 7, 100_000]) {
      await expect(read(text, TYPE, size)).rejects.toThrow(MultipartError)
    }
  })

  it.each([
    undefined,
    'text/html',
    'multipart/form-data; boundary=b',
    'multipart/mixed',
    'multipart/mixed; boundary=',
    'multipart/mixed; boundary=""',
    'multipart/mixed; boundary="a\r\nb"',
    'multipart/mixed; boundary="trailing "',
    `multipart/mixed; boundary=${'a'.repeat(71)}`,
    'multipart/mixed; boundary=a; boundary=b',
    'multipart/mixed; boundary="unfinished',
    `multipart/mixed; boundary=b; ${'x=y; '.repeat(2000)}`,
    'multipart/mixed; boundary=é',
  ])('under the type %j is refused', (type) => {
    expect(() => boundaryOf(type)).toThrow(MultipartError)
  })

  it('closes the file when nobody reads the answer', async () => {
    const content = Readable.from([Buffer.from('x')])
    const { body } = multipartAnswer(
      { contentType: 'a/b', contentDisposition: 'attachment', size: 1, content },
      'boundary',
    )
    body.destroy()
    await new Promise((resolve) => body.once('close', resolve))
    expect(content.destroyed).toBe(true)
  })
})
