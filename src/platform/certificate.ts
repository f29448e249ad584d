import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import {
  bits,
  boolean,
  explicit,
  implicit,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  set,
  time,
  utf8,
} from './der.js'
import type { Random } from './random.js'

/** A certificate with its private key, both PEM. */
export interface Certificate {
  readonly certificate: string
  /** PKCS #8. */
  readonly privateKey: string
}

export interface Validity {
  /** Milliseconds since the epoch; whole seconds count. */
  readonly from: number
  readonly until: number
}

export interface AuthorityOptions {
  /** For people: the common name. */
  readonly name: string
  readonly validity: Validity
  readonly random: Random
  /** Default `ec`, P-256; `rsa`, of 3072 bits, for those who know no other. */
  readonly keyType?: 'ec' | 'rsa'
}

export interface ServerCertificateOptions {
  /** DNS names and IP addresses (no brackets, no port) that the certificate is for; at least one. */
  readonly hosts: readonly string[]
  readonly validity: Validity
  /** One of `createAuthority`, or any other with an RSA or ECDSA key (PEM, PKCS #1 or #8). */
  readonly authority: Certificate
  readonly random: Random
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const RSA_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), nothing)
const COMMON_NAME = oid('2.5.4.3')
const BASIC_CONSTRAINTS = oid('2.5.29.19')
const KEY_USAGE = oid('2.5.29.15')
const EXTENDED_KEY_USAGE = oid('2.5.29.37')
const SERVER_AUTH = oid('1.3.6.1.5.5.7.3.1')
const SUBJECT_ALTERNATIVE_NAME = oid('2.5.29.17')
const SUBJECT_KEY_ID = oid('2.5.29.14')
const AUTHORITY_KEY_ID = oid('2.5.29.35')

/**
 * A certificate authority of one's own: for demonstrations, tests, and closed federations without a PKI.
 * It may sign server certificates and no further authorities.
 */
export function createAuthority(options: AuthorityOptions): Certificate {
  const key = newKey(options.keyType ?? 'ec')
  const subject = commonName(options.name)
  const keyId = keyIdentifier(key.spki)
  return {
    certificate: issue({
      issuer: subject,
      subject,
      spki: key.spki,
      validity: options.validity,
      random: options.random,
      signWith: key.pem,
      extensions: [
        extension(BASIC_CONSTRAINTS, true, sequence(boolean(true), integer(Buffer.of(0)))),
        // keyCertSign and cRLSign: bits 5 and 6.
        extension(KEY_USAGE, true, bits(Buffer.of(0b0000_0110), 1)),
        extension(SUBJECT_KEY_ID, false, octets(keyId)),
      ],
    }),
    privateKey: key.pem,
  }
}

/** A certificate for a TLS server, with a new key, signed by the authority. */
export function createServerCertificate(options: ServerCertificateOptions): Certificate {
  const { hosts, authority } = options
  if (hosts.length === 0) throw new RangeError('a server certificate needs a host')
  const key = newKey('ec')
  const authorityKeyId = subjectKeyIdOf(authority.certificate)
  return {
    certificate: issue({
      issuer: subjectOf(authority.certificate),
      subject: commonName(hosts[0]!.slice(0, 64)),
      spki: key.spki,
      validity: options.validity,
      random: options.random,
      signWith: authority.privateKey,
      extensions: [
        extension(BASIC_CONSTRAINTS, true, sequence()),
        // digitalSignature: bit 0.
        extension(KEY_USAGE, true, bits(Buffer.of(0b1000_0000), 7)),
        extension(EXTENDED_KEY_USAGE, false, sequence(SERVER_AUTH)),
        extension(SUBJECT_ALTERNATIVE_NAME, false, sequence(...hosts.map(alternativeName))),
        extension(SUBJECT_KEY_ID, false, octets(keyIdentifier(key.spki))),
        ...(authorityKeyId === undefined
          ? []
          : [extension(AUTHORITY_KEY_ID, false, sequence(implicit(0, authorityKeyId)))]),
      ],
    }),
    privateKey: key.pem,
  }
}

interface Issue {
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly spki: Uint8Array
  readonly validity: Validity
  readonly extensions: readonly Uint8Array[]
  readonly random: Random
  /** PEM of the issuer's private key. */
  readonly signWith: string
}

/** RFC 5280, section 4.1. */
function issue(options: Issue): string {
  const serial = Buffer.from(options.random.bytes(16))
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const signWith = createPrivateKey(options.signWith)
  const algorithm = signWith.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(serial),
    algorithm,
    options.issuer,
    sequence(time(options.validity.from), time(options.validity.until)),
    options.subject,
    options.spki,
    explicit(3, sequence(...options.extensions)),
  )
  const signature = sign('sha256', toBeSigned, signWith)
  return pem('CERTIFICATE', sequence(toBeSigned, algorithm, bits(signature)))
}

function newKey(type: 'ec' | 'rsa'): { pem: string; spki: Uint8Array } {
  const { privateKey, publicKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 3072 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    spki: publicKey.export({ format: 'der', type: 'spki' }),
  }
}

const commonName = (name: string): Uint8Array => sequence(set(sequence(COMMON_NAME, utf8(name))))

const extension = (id: Uint8Array, critical: boolean, value: Uint8Array): Uint8Array =>
  critical ? sequence(id, boolean(true), octets(value)) : sequence(id, octets(value))

/** RFC 7093, section 2, except that the whole key structure is hashed, which is as unique. */
const keyIdentifier = (spki: Uint8Array): Uint8Array =>
  createHash('sha256').update(spki).digest().subarray(0, 20)

function alternativeName(host: string): Uint8Array {
  if (isIP(host) === 0) return implicit(2, Buffer.from(host, 'latin1'))
  return implicit(7, isIPv4(host) ? Buffer.from(host.split('.').map(Number)) : ipv6Bytes(host))
}

/** The URL parser knows every spelling of an IPv6 address; its own has no dotted part and at most one `::`. */
function ipv6Bytes(host: string): Uint8Array {
  const [head = '', tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]))
}

const derOf = (certificate: string): Buffer =>
  Buffer.from(certificate.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')

/** What the certificate says its key is called; others that it signs must call it the same. */
function subjectKeyIdOf(certificate: string): Uint8Array | undefined {
  const der = derOf(certificate)
  const at = der.indexOf(SUBJECT_KEY_ID)
  if (at === -1) return undefined
  const outer = header(der, at + SUBJECT_KEY_ID.length)
  const { content, end } = header(der, outer.content)
  return der.subarray(content, end)
}

/**
 * The subject, byte for byte: in a certificate of version 3 it is the sixth element of the first sequence, after version,
 * serial, algorithm, issuer and validity.
 */
function subjectOf(certificate: string): Uint8Array {
  const der = derOf(certificate)
  let at = header(der, header(der, 0).content).content
  for (let skipped = 0; skipped < 5; skipped++) at = header(der, at).end
  return der.subarray(at, header(der, at).end)
}

function header(der: Buffer, at: number): { content: number; end: number } {
  const first = der.readUInt8(at + 1)
  if (first < 0x80) return { content: at + 2, end: at + 2 + first }
  const digits = first & 0x7f
  const content = at + 2 + digits
  return { content, end: content + der.readUIntBE(at + 2, digits) }
}

function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
