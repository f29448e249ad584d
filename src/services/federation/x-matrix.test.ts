import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import nacl from 'tweetnacl'
import { canonicalJson } from '../../core/json/canonical.js'
import { createSigner, generateSigningKey, publicKey, verifySignature } from '../../platform/ed25519.js'
import { systemRandom } from '../../platform/random.js'
import { authorizationHeader, authorizationOfText, parseXMatrix, requestBytes } from './x-matrix.js'

const key = generateSigningKey(systemRandom, 'k1')
const signer = createSigner(key)
const request = {
  method: 'PUT',
  uri: '/_matrix/federation/v1/send/1?a=%20b',
  origin: 'finances.example',
  destination: 'sante.example:8448',
  content: { pdus: [], origin: 'finances.example', é: '"' },
}

describe('the X-Matrix header', () => {
  it('covers method, uri, both servers and the content in canonical JSON', () => {
    const expected =
      '{"content":{"origin":"finances.example","pdus":[],"é":"\\""},"destination":"sante.example:8448","method":"PUT",' +
      '"origin":"finances.example","uri":"/_matrix/federation/v1/send/1?a=%20b"}'
    expect(new TextDecoder().decode(requestBytes(request))).toBe(expected)
    const parsed = parseXMatrix(authorizationHeader(request, signer)!)!
    expect(parsed).toMatchObject({
      origin: request.origin,
      destination: request.destination,
      keyId: 'ed25519:k1',
    })
    const secret = nacl.sign.keyPair.fromSeed(key.seed).secretKey
    const oracle = nacl.sign.detached(new TextEncoder().encode(expected), secret)
    expect(parsed.signature).toBe(Buffer.from(oracle).toString('base64').replace(/=+$/, ''))
    expect(verifySignature(publicKey(signer.publicKey)!, requestBytes(request)!, parsed.signature)).toBe(true)
  })

  it('is the same for a body that was written before', () => {
    const text = canonicalJson(request.content)
    expect(authorizationOfText(request, text, signer)).toBe(authorizationHeader(request, signer))
  })

  it('leaves the content out of a request without a body', () => {
    const bytes = requestBytes({ ...request, content: undefined })
    expect(new TextDecoder().decode(bytes)).not.toContain('content')
  })

  it('cannot be made for content that has no canonical form', () => {
    expect(authorizationHeader({ ...request, content: { a: '\ud800' } }, signer)).toBeUndefined()
  })

  it.each([
    [
      'as the specification writes it',
      'X-Matrix origin="a.b",destination="c.d:1",key="ed25519:k",sig="AB+/"',
    ],
    ['without quotes', 'X-Matrix origin=a.b,destination=c.d:1,key=ed25519:k,sig=AB+/'],
    [
      'in another order, case and spacing',
      'x-matrix  SIG="AB+/" ,\tKey=ed25519:k , Origin="a.b",Destination="c.d:1"',
    ],
    ['with escapes', 'X-Matrix origin="a\\.b",destination="c.d:1",key="ed25519\\:k",sig="AB+/"'],
    ['with unknown parameters', 'X-Matrix origin=a.b,destination=c.d:1,x="y,\\"z",key=ed25519:k,sig=AB+/'],
  ])('is read %s', (_, header) => {
    expect(parseXMatrix(header)).toEqual({
      origin: 'a.b',
      destination: 'c.d:1',
      keyId: 'ed25519:k',
      signature: 'AB+/',
    })
  })

  it('may lack the destination, as old servers send it', () => {
    expect(parseXMatrix('X-Matrix origin=a.b,key="ed25519:k",sig="AB"')?.destination).toBeUndefined()
  })

  it.each([
    '',
    'Bearer abc',
    'X-Matrix',
    'X-Matrix ',
    'X-Matrixorigin=a,key=k,sig=s',
    'X-Matrix origin="a.b",key="k"',
    'X-Matrix origin="a.b",key="k",sig="s',
    'X-Matrix origin="a.b",key="k",sig="s\\',
    'X-Matrix origin="a.b",key="k",sig="s",',
    'X-Matrix origin="a.b",,key="k",sig="s"',
    'X-Matrix origin="a.b",origin="c.d",key="k",sig="s"',
    'X-Matrix origin="a.b",ORIGIN="a.b",key="k",sig="s"',
    'X-Matrix origin="a/b",key="k",sig="s"',
    'X-Matrix origin="",key="k",sig="s"',
    'X-Matrix origin="a.b" key="k" sig="s"',
    'X-Matrix origin="a.b",key="k",sig="s"\n',
    'X-Matrix origin="a.b",key="k",sig="é"',
    `X-Matrix origin="a.b",key="k",sig="${'s'.repeat(5_000)}"`,
    `X-Matrix origin=a.b,key=k,sig=s${Array.from({ length: 40 }, (_, index) => `,p${index}=1`).join('')}`,
  ])('is refused when malformed: %j', (header) => {
    expect(parseXMatrix(header)).toBeUndefined()
  })

  it('never makes the parser throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', '\\', ',', '=', ' ', 'a', 'origin=') }), (text) => {
        parseXMatrix(`X-Matrix ${text}`)
      }),
    )
  })
})
