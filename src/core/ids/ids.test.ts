import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { fitsId, utf8Length } from './common.js'
import { isDeviceId } from './device-id.js'
import { isEventId, isStandardHashEventId, isUrlSafeHashEventId, parseOpaqueEventId } from './event-id.js'
import { isKeyId, parseKeyId, parseServerKeyId } from './key-id.js'
import { isMediaId, isMxcUri, parseMxcUri } from './mxc-uri.js'
import { isRoomAlias, parseRoomAlias } from './room-alias.js'
import {
  createEventIdOf,
  isHashRoomId,
  isRoomId,
  parseOpaqueRoomId,
  parseRoomId,
  roomIdOfCreate,
} from './room-id.js'
import { serverNameOf } from './server-name-of.js'
import { isServerName, parseServerName } from './server-name.js'
import { isCompliantUserId, isStrictLocalpart, isUserId, parseUserId } from './user-id.js'

const HASH = 'A'.repeat(42) + 'E'

describe('server names', () => {
  it.each([
    ['matrix.org', 'matrix.org', 'dns', undefined],
    ['matrix.org:8888', 'matrix.org', 'dns', 8888],
    ['1.2.3.4', '1.2.3.4', 'ipv4', undefined],
    ['1.2.3.4:1234', '1.2.3.4', 'ipv4', 1234],
    ['255.255.255.255', '255.255.255.255', 'ipv4', undefined],
    ['[1234:5678::abcd]', '1234:5678::abcd', 'ipv6', undefined],
    ['[1234:5678::abcd]:5678', '1234:5678::abcd', 'ipv6', 5678],
    ['[::]', '::', 'ipv6', undefined],
    ['[::1]:65535', '::1', 'ipv6', 65535],
    ['[::ffff:1.2.3.4]', '::ffff:1.2.3.4', 'ipv6', undefined],
    ['[1:2:3:4:5:6:7:8]', '1:2:3:4:5:6:7:8', 'ipv6', undefined],
    ['[1:2:3:4:5:6:1.2.3.4]', '1:2:3:4:5:6:1.2.3.4', 'ipv6', undefined],
    ['[1:2:3:4:5:6:7::]', '1:2:3:4:5:6:7::', 'ipv6', undefined],
    ['localhost:8448', 'localhost', 'dns', 8448],
    ['UPPER.example', 'UPPER.example', 'dns', undefined],
    ['1.2.3', '1.2.3', 'dns', undefined],
    ['a-b.c.', 'a-b.c.', 'dns', undefined],
    ['a'.repeat(255), 'a'.repeat(255), 'dns', undefined],
  ])('parses %s', (text, host, kind, port) => {
    expect(parseServerName(text)).toEqual({ host, kind, port })
    expect(isServerName(text)).toBe(true)
  })

  it.each([
    '',
    '.',
    '..',
    '.a',
    'a..b',
    'a..',
    ':',
    ':80',
    'a:',
    'a:b',
    'a:123456',
    'a:65536',
    'a:-1',
    'a:1:2',
    'a b',
    'a/b',
    '../../etc',
    '.',
    '..',
    '.a',
    'a..b',
    'a..',
    '[::',
    '[',
    'evil.com/..%2f',
    'a@b',
    'a#b',
    'a_b',
    'é.fr',
    'a\u0000',
    'a\n',
    '256.1.1.1',
    '1.2.3.999',
    '[',
    '[]',
    '[::1',
    '[::1]x',
    '[::1]:',
    '[::1]:99999',
    '[:]',
    '[:::]',
    '[1::2::3]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1:2:3:4:5:6:7::8]',
    '[12345::]',
    '[g::]',
    '[::1%eth0]',
    '[1.2.3.4]',
    '[::1.2.3.4:5]',
    '[::1.2.3.256]',
    '[1:2:3:4:5:6:7:1.2.3.4]',
    '::1',
    'a'.repeat(256),
    'a'.repeat(300),
    `[${'0'.repeat(46)}]`,
  ])('refuses %j', (text) => {
    // prettier-ignore
    expect(parseServerName(text)).toBeUndefined()
    expect(isServerName(text)).toBe(false)
  })
})

describe('user ids', () => {
  it('gives the parts, and splits at the first colon', () => {
    expect(parseUserId('@alice:example.org:8448')).toEqual({ localpart: 'alice', domain: 'example.org:8448' })
    expect(parseUserId('@a:[::1]:80')).toEqual({ localpart: 'a', domain: '[::1]:80' })
  })
  // historical, compliant, strict
  it.each([
    ['@alice:example.org', true, true, true],
    ['@a.b_c=d-e/f+9:example.org', true, true, true],
    ['@Alice:example.org', true, true, false],
    ['@a!b:example.org', true, true, false],
    ['@a b:example.org', true, false, false],
    ['@:example.org', true, false, false],
    ['@é:example.org', true, false, false],
    ['@😀:example.org', true, false, false],
    ['@a\n:example.org', true, false, false],
    ['@a\u0000:example.org', false, false, false],
    ['@\ud800:example.org', false, false, false],
    ['@alice', false, false, false],
    ['@alice:', false, false, false],
    ['@alice:bad_host', false, false, false],
    ['alice:example.org', false, false, false],
    ['!alice:example.org', false, false, false],
    ['', false, false, false],
  ])('%j: historical %s, compliant %s, strict %s', (text, historical, compliant, strict) => {
    const isStrict = (id: string): boolean => isStrictLocalpart(parseUserId(id)?.localpart ?? '@')
    expect([isUserId(text), isCompliantUserId(text), isStrict(text)]).toEqual([historical, compliant, strict])
  })
  it('counts 255 bytes, not characters', () => {
    expect(isUserId(`@${'a'.repeat(242)}:example.org`)).toBe(true)
    expect(isUserId(`@${'a'.repeat(243)}:example.org`)).toBe(false)
    expect(isUserId(`@${'é'.repeat(121)}:example.org`)).toBe(true)
    expect(isUserId(`@${'é'.repeat(122)}:example.org`)).toBe(false)
  })
  it('checks a localpart alone', () => {
    expect(isStrictLocalpart('alice')).toBe(true)
    expect(isStrictLocalpart('')).toBe(false)
    expect(isStrictLocalpart('Alice')).toBe(false)
    expect(isStrictLocalpart('a:b')).toBe(false)
  })
})

describe('room ids', () => {
  it('knows both forms', () => {
    expect(parseRoomId('!abc:example.org')).toEqual({ localpart: 'abc', domain: 'example.org' })
    expect(parseRoomId(`!${HASH}`)).toEqual({ localpart: HASH, domain: undefined })
    expect(parseOpaqueRoomId(`!${HASH}`)).toBeUndefined()
    expect(isHashRoomId('!abc:example.org')).toBe(false)
  })
  it.each([
    '',
    '!',
    'abc:example.org',
    '#abc:example.org',
    '!abc',
    `!${HASH}A`,
    `!${HASH.slice(1)}`,
    `!${'A'.repeat(42)}B`,
    `!${HASH.slice(0, 40)}+/A`,
    `$${HASH}`,
    '!a\u0000:b',
  ])('refuses %j', (text) => {
    expect(isRoomId(text)).toBe(false)
    expect(isHashRoomId(text)).toBe(false)
  })
  it('converts between a version 12 room and its create event', () => {
    expect(createEventIdOf(`!${HASH}`)).toBe(`$${HASH}`)
    expect(roomIdOfCreate(`$${HASH}`)).toBe(`!${HASH}`)
  })
})

describe('event ids', () => {
  it('tells the three forms apart', () => {
    expect(parseOpaqueEventId('$x:example.org')).toEqual({ localpart: 'x', domain: 'example.org' })
    expect(parseOpaqueEventId(`$${HASH}`)).toBeUndefined()
    const standard = `$${'+'.repeat(41)}/A`
    const urlSafe = `$${'-'.repeat(41)}_A`
    expect([isStandardHashEventId(standard), isUrlSafeHashEventId(standard)]).toEqual([true, false])
    expect([isStandardHashEventId(urlSafe), isUrlSafeHashEventId(urlSafe)]).toEqual([false, true])
    expect(isUrlSafeHashEventId(`!${HASH}`)).toBe(false)
    expect(isStandardHashEventId(`!${HASH}`)).toBe(false)
    expect(isStandardHashEventId(`$${'A'.repeat(42)}B`)).toBe(false)
  })
  it.each([
    ['$x', true],
    [`$${'a'.repeat(254)}`, true],
    ['$', false],
    ['', false],
    ['x', false],
    ['!x', false],
    [`$${'a'.repeat(255)}`, false],
    ['$a\u0000', false],
    ['$\ud800', false],
  ])('%j is an event id: %s', (text, expected) => {
    // prettier-ignore
    expect(isEventId(text)).toBe(expected)
  })
})

describe('the other identifiers', () => {
  it('parses aliases', () => {
    expect(parseRoomAlias('#Büro 1:example.org')).toEqual({ localpart: 'Büro 1', domain: 'example.org' })
    for (const text of ['#:example.org', '#a', 'a:b', '#a:', '', `#${'a'.repeat(250)}:bc.de`])
      expect(isRoomAlias(text)).toBe(false)
    expect(isRoomAlias('#a:b')).toBe(true)
  })
  it('takes device ids as opaque', () => {
    for (const text of ['ABC', 'a:b', 'é', '__proto__', 'a'.repeat(255)]) expect(isDeviceId(text)).toBe(true)
    for (const text of ['', 'a\u0000', '\ud800', 'a'.repeat(256)]) expect(isDeviceId(text)).toBe(false)
  })
  it('parses mxc URIs whose media id is safe in a path', () => {
    expect(parseMxcUri('mxc://example.org:80/aB_-9')).toEqual({
      serverName: 'example.org:80',
      mediaId: 'aB_-9',
    })
    expect(isMxcUri('mxc://example.org/a')).toBe(true)
    for (const text of [
      'mxc://example.org',
      'mxc://example.org/',
      'mxc:///a',
      'mxc://a_b/a',
      'http://example.org/a',
      'mxc://example.org/a/b',
      'mxc://example.org/..',
      'mxc://example.org/a%2f',
      'mxc://example.org/a?x',
    ])
      expect(isMxcUri(text)).toBe(false)
    expect(isMediaId('a'.repeat(255))).toBe(true)
    expect(isMediaId('a'.repeat(256))).toBe(false)
    expect(parseMxcUri(`mxc://example.org/${'a'.repeat(600)}`)).toBeUndefined()
  })
  it('parses key ids', () => {
    expect(parseKeyId('ed25519:a:b')).toEqual({ algorithm: 'ed25519', name: 'a:b' })
    expect(parseServerKeyId('ed25519:a_1')).toEqual({ algorithm: 'ed25519', name: 'a_1' })
    expect(parseServerKeyId('ed25519:a-b')).toBeUndefined()
    expect(parseServerKeyId('ed25519')).toBeUndefined()
    for (const text of [
      '',
      'ed25519',
      'ed25519:',
      ':a',
      'Ed:a',
      'ed25519:\u0000',
      `ed25519:${'a'.repeat(250)}`,
    ])
      expect(isKeyId(text)).toBe(false)
    expect(isKeyId('signed_curve25519:AAAA')).toBe(true)
  })
  it('finds the server of an identifier that has one', () => {
    expect(serverNameOf('@a:u.example')).toBe('u.example')
    expect(serverNameOf('!a:r.example')).toBe('r.example')
    expect(serverNameOf('$a:e.example')).toBe('e.example')
    expect(serverNameOf('#a:a.example')).toBe('a.example')
    expect(serverNameOf(`!${HASH}`)).toBeUndefined()
    expect(serverNameOf('a:b')).toBeUndefined()
    expect(serverNameOf('')).toBeUndefined()
  })
  it('counts bytes of UTF-8 as an encoder does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Length(text)).toBe(Buffer.byteLength(text))
        expect(fitsId(text)).toBe(Buffer.byteLength(text) <= 255)
      }),
    )
    expect(utf8Length('\ud800a')).toBe(4)
    expect(fitsId('é'.repeat(127))).toBe(true)
    expect(fitsId('é'.repeat(128))).toBe(false)
    expect(fitsId('a'.repeat(256))).toBe(false)
  })
})
