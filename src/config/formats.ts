import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseServerKeyId } from '../core/ids/key-id.js'
import { isServerName } from '../core/ids/server-name.js'
import { isUserId } from '../core/ids/user-id.js'
import { isEmailDomain, isEmailPattern } from '../core/node-list/strict-names.js'
import { ROOM_VERSIONS } from '../core/room-version/versions.js'
import { publicKey } from '../platform/ed25519.js'
import type { Format } from './fields.js'
import { parseDuration, parseSize } from './units.js'

/** Folders that relative paths are resolved against. */
export interface Folders {
  /** The folder of the configuration file. */
  readonly file: string
  /** `data_dir`, already absolute. */
  readonly data: string
}

export type Checked =
  | { readonly ok: true; readonly value: string | number }
  | { readonly ok: false; readonly problem: string; readonly remedy: string }

const good = (value: string | number): Checked => ({ ok: true, value })
const bad = (problem: string, remedy: string): Checked => ({ ok: false, problem, remedy })

const when =
  (test: (text: string) => boolean, problem: string, remedy: string) =>
  (text: string): Checked =>
    test(text) ? good(text) : bad(problem, remedy)

const path =
  (base: keyof Folders) =>
  (text: string, folders: Folders): Checked =>
    text === '' || text.includes('\0')
      ? bad('is not a path', 'Write the path of a file or folder.')
      : good(resolve(folders[base], text))

function isCidr(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  return /^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128)
}

function httpUrl(text: string): Checked {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return bad('is not a web address', 'Write the whole address, beginning with `https://`.')
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    return bad('has more than a host and a path', 'Leave out user names, `?…` and `#…`.')
  }
  return good(text.endsWith('/') ? text.slice(0, -1) : text)
}

const HOST = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,252})$/
const EMAIL = /^[^\s@<>"]{1,64}@[0-9A-Za-z.-]{1,255}$/
const TURN = /^(?:turns?|stuns?):[^\s]{1,1000}$/

/** How each format is checked, and what becomes of the text. */
export const FORMATS: Readonly<Record<Format, (text: string, folders: Folders) => Checked>> = {
  duration: (text) => {
    const ms = parseDuration(text)
    return ms === undefined
      ? bad('is not a duration', 'Write a number and a unit: `500ms`, `30s`, `5m`, `2h`, `7d`.')
      : good(ms)
  },
  size: (text) => {
    const bytes = parseSize(text)
    return bytes === undefined ? bad('is not a size', 'Write bytes, or `64K`, `50M`, `2G`.') : good(bytes)
  },
  path: path('file'),
  'data-path': path('data'),
  'http-url': httpUrl,
  'server-name': when(
    isServerName,
    'is not a server name',
    'Write a DNS name or an IP address, and a port if it needs one: `ministry.example` or `localhost:8448`, without `https://`.',
  ),
  cidr: when(isCidr, 'is not an address or range', 'Write `10.0.0.0/8`, `192.0.2.7` or `fd00::/8`.'),
  'user-id': when(isUserId, 'is not a user id', 'Write `@name:server`.'),
  email: when((text) => EMAIL.test(text), 'is not an e-mail address', 'Write `name@host`.'),
  'room-version': when(
    (text) => ROOM_VERSIONS.has(text),
    'is not a room version that this server knows',
    `Write one of ${[...ROOM_VERSIONS.keys()].map((id) => `"${id}"`).join(', ')}.`,
  ),
  address: when((text) => isIP(text) !== 0, 'is not an IP address', 'Write `0.0.0.0`, `127.0.0.1` or `::`.'),
  host: when(
    (text) => isIP(text) !== 0 || HOST.test(text),
    'is not a host',
    'Write a DNS name or an IP address, without a port.',
  ),
  'turn-uri': when(
    (text) => TURN.test(text),
    'is not a TURN address',
    'Write `turn:host:3478?transport=udp`.',
  ),
  'server-key-id': when(
    (text) => text.startsWith('ed25519:') && parseServerKeyId(text) !== undefined,
    'is not the id of a signing key',
    'Write `ed25519:` and the version that stands in the key file.',
  ),
  'public-key': when(
    (text) => publicKey(text) !== undefined,
    'is not a public key',
    'Write the 43 characters that the server published as its `verify_keys`.',
  ),
  'email-domain': when(
    isEmailDomain,
    'is not a domain of e-mail addresses',
    'Write it in lower case, of letters, digits and hyphens: `ministry.example`.',
  ),
  'email-pattern': when(
    isEmailPattern,
    'is not a pattern of e-mail addresses',
    'Write `*@ministry.example`, or `*@*.ministry.example` for all domains below it.',
  ),
}
