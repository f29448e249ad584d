import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { describe, expect, it } from '@jest/globals'
import { createAuthority, createServerCertificate, type Certificate } from './certificate.js'
import { systemRandom } from './random.js'

const DAY = 86_400_000
const now = Date.now()
const validity = { from: now - DAY, until: now + DAY }
const authority = createAuthority({ name: 'Démonstration CA', validity, random: systemRandom })
const issue = (hosts: string[], by = authority, span = validity): Certificate =>
  createServerCertificate({ hosts, validity: span, authority: by, random: systemRandom })

/** Shakes hands for real; resolves to the error of the client, or undefined. */
async function handshake(leaf: Certificate, servername: string, ca: string): Promise<string | undefined> {
  const server = createServer({ cert: leaf.certificate, key: leaf.privateKey }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const outcome = await new Promise<string | undefined>((resolve) => {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port,
      ca,
      ...(servername === '127.0.0.1' ? {} : { servername }),
    })
    socket.once('secureConnect', () => resolve(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.resume()
  })
  await new Promise((resolve) => server.close(resolve))
  return outcome
}

describe('a certificate authority of our own', () => {
  it('is an authority in the eyes of node:crypto, and signed itself', () => {
    const x509 = new X509Certificate(authority.certificate)
    expect(x509.ca).toBe(true)
    expect(x509.subject).toBe('CN=Démonstration CA')
    expect(x509.issuer).toBe(x509.subject)
    expect(x509.verify(x509.publicKey)).toBe(true)
    expect(Math.abs(Date.parse(x509.validTo) - validity.until)).toBeLessThan(1_000)
  })

  it('may have an RSA key, in the old encoding too', async () => {
    const rsa = createAuthority({ name: 'RSA', validity, random: systemRandom, keyType: 'rsa' })
    const privateKey = createPrivateKey(rsa.privateKey).export({ format: 'pem', type: 'pkcs1' }).toString()
    const leaf = issue(['sante.example'], { ...rsa, privateKey })
    expect(new X509Certificate(leaf.certificate).checkIssued(new X509Certificate(rsa.certificate))).toBe(true)
    expect(await handshake(leaf, 'sante.example', rsa.certificate)).toBeUndefined()
  })

  it('issues certificates for names and addresses that verify against it', () => {
    const x509 = new X509Certificate(
      issue(['sante.example', '*.sante.example', '127.0.0.1', '2001:db8::5', '::1']).certificate,
    )
    const ca = new X509Certificate(authority.certificate)
    expect(x509.checkIssued(ca)).toBe(true)
    expect(x509.verify(ca.publicKey)).toBe(true)
    expect(x509.ca).toBe(false)
    expect(x509.checkHost('sante.example')).toBeDefined()
    expect(x509.checkHost('a.sante.example')).toBeDefined()
    expect(x509.checkHost('finances.example')).toBeUndefined()
    for (const ip of ['127.0.0.1', '2001:db8::5', '::1']) expect(x509.checkIP(ip)).toBe(ip)
    expect(x509.checkIP('127.0.0.2')).toBeUndefined()
  })

  it('writes dates after 2049 in the other form', () => {
    const far = issue(['a.example'], authority, { from: now, until: Date.UTC(2060, 0, 1) })
    expect(new Date(new X509Certificate(far.certificate).validTo).getUTCFullYear()).toBe(2060)
  })

  it('convinces a TLS client that trusts it, by name and by address, and no other', async () => {
    const leaf = issue(['sante.example', '127.0.0.1'])
    const other = createAuthority({ name: 'Démonstration CA', validity, random: systemRandom })
    expect(await handshake(leaf, 'sante.example', authority.certificate)).toBeUndefined()
    expect(await handshake(leaf, '127.0.0.1', authority.certificate)).toBeUndefined()
    expect(await handshake(leaf, 'finances.example', authority.certificate)).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    )
    expect(await handshake(leaf, 'sante.example', other.certificate)).toMatch(
      /UNABLE_TO_VERIFY|SIGNATURE|ISSUER/,
    )
  })

  it('does not convince after its time, nor when a leaf poses as an authority', async () => {
    const stale = issue(['sante.example'], authority, { from: now - 2 * DAY, until: now - DAY })
    expect(await handshake(stale, 'sante.example', authority.certificate)).toBe('CERT_HAS_EXPIRED')
    const leaf = issue(['sante.example'])
    const forged = issue(['finances.example'], leaf)
    expect(await handshake(forged, 'finances.example', leaf.certificate)).toBeDefined()
    expect(() => issue([])).toThrow(RangeError)
  })
})
