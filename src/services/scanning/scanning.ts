import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { MatrixError } from '../../core/errors.js'

import { isObject, type JsonObject } from '../../core/json/value.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Media, MediaAccess, MediaFile } from '../media/media.js'
import { mxcUri } from '../media/mxc.js'
import type { ThumbnailSize } from '../media/thumbnail-size.js'
import { decrypted, parseEncryptedFile, type EncryptedFile } from './encrypted-file.js'
import { REFUSED, refusal } from './media-gate.js'
import type { PkDecryption } from './pk-decryption.js'
import { FORBIDDEN_TYPE, scanError } from './scan-errors.js'
import type { FileVerdict, Scanner } from './scanner.js'
import { isTypeAllowed, type TypePolicy } from './type-policy.js'

/** What a client shows of a file. */
export interface ScanResult {
  readonly clean: boolean
  readonly info: string
}

/** A file that was found clean, decrypted as it is read. */
export interface ScannedFile {
  /** By its content. */
  readonly contentType: string
  readonly size: number
  open(): Promise<Readable>
}

/**
 * The content scanner as its clients call it. All functions throw M_UNRECOGNIZED where there is none, and what getting a medium throws.
 * NOTSPEC: the protocol is that of matrix-content-scanner, which no specification has.
 */
export interface Scanning {
  /** Unpadded base64: the Curve25519 key to which clients encrypt the keys of files. */
  publicKey(): string
  /** A plain medium, once it was found clean. Throws `MCS_MEDIA_NOT_CLEAN`, `MCS_MIME_TYPE_FORBIDDEN`, `MCS_MEDIA_REQUEST_FAILED`. */
  download(origin: string, mediaId: string, access: MediaAccess): Promise<MediaFile>
  /** As `download`. */
  thumbnail(
    origin: string,
    mediaId: string,
    asked: ThumbnailSize & { readonly animated: boolean },
    access: MediaAccess,
  ): Promise<MediaFile>
  scan(origin: string, mediaId: string, access: MediaAccess): Promise<ScanResult>
  /**
   * An encrypted medium, decrypted, once it was found clean. `body` has `file`, or that encrypted as `encrypted_body`. Throws as `download`,
   * `MCS_MALFORMED_JSON`, `MCS_BAD_DECRYPTION` where `encrypted_body` cannot be read, `MCS_MEDIA_FAILED_TO_DECRYPT` where the medium is not what the message says.
   */
  downloadEncrypted(body: JsonObject, access: MediaAccess): Promise<ScannedFile>
  scanEncrypted(body: JsonObject, access: MediaAccess): Promise<ScanResult>
  /** Job: forgets what the scanner said long ago; nothing where there is none. Gives how much. */
  prune(): Promise<number>
}

export interface ScanningDeps {
  readonly media: Pick<Media, 'download' | 'thumbnail' | 'ciphertext'>
  /** Undefined where there is no content scanner. */
  readonly parts:
    | {
        readonly scanner: Scanner
        readonly types: TypePolicy
        readonly decryption: () => PkDecryption
        readonly audit: Pick<AuditTrail, 'count'>
      }
    | undefined
}

const MAX_MESSAGE = 32_768
const CLEAN: ScanResult = { clean: true, info: 'File is clean' }
/** Errors that are an answer to "is it clean". */
const ANSWERS: ReadonlySet<unknown> = new Set(['MCS_MEDIA_NOT_CLEAN', 'MCS_MIME_TYPE_FORBIDDEN'])

export function createScanning({ media, parts }: ScanningDeps): Scanning {
  const running = (): NonNullable<ScanningDeps['parts']> => {
    if (parts === undefined) throw new MatrixError('M_UNRECOGNIZED', 'This server has no content scanner')
    return parts
  }

  function fileOf(body: JsonObject): EncryptedFile {
    if (body['encrypted_body'] === undefined) return parseEncryptedFile(body['file'])
    const plain = running().decryption().decrypt(messageOf(body['encrypted_body']))
    if (plain === undefined)
      throw scanError(
        'MCS_BAD_DECRYPTION',
        '`encrypted_body` cannot be decrypted: it may be for a key of before',
      )
    const inner = jsonOf(plain)
    if (!isObject(inner)) throw scanError('MCS_MALFORMED_JSON', 'What was encrypted is no JSON object')
    return parseEncryptedFile(inner['file'])
  }

  async function opened(
    body: JsonObject,
    access: MediaAccess,
  ): Promise<ScannedFile & { readonly verdict: FileVerdict; readonly uri: string }> {
    const { scanner } = running()
    const file = fileOf(body)
    const ciphertext = await media.ciphertext(file.origin, file.mediaId, access)
    if (ciphertext.sha256 !== file.sha256)
      throw scanError('MCS_MEDIA_FAILED_TO_DECRYPT', 'The file is not the one of which the message speaks')
    const source = {
      size: ciphertext.size,
      open: async () => decrypted(await ciphertext.open(), file),
    }
    const key = createHash('sha256').update(file.sha256, 'hex').update(file.key).update(file.iv).digest('hex')
    const verdict = await scanner.look(`encrypted ${key}`, source, false)
    const uri = mxcUri(file.origin, file.mediaId)
    return { ...source, contentType: verdict.contentType, verdict, uri }
  }

  async function downloadEncrypted(body: JsonObject, access: MediaAccess): Promise<ScannedFile> {
    const { types, audit } = running()
    const { verdict, uri, ...file } = await opened(body, access)
    const refused = refusal(verdict)
    if (refused !== undefined) {
      audit.count({ ...REFUSED, on: uri, reason: verdict.detail })
      throw refused
    }
    if (!isTypeAllowed(types, verdict.contentType, undefined))
      throw scanError('MCS_MIME_TYPE_FORBIDDEN', FORBIDDEN_TYPE)
    return file
  }

  return {
    publicKey: () => running().decryption().publicKey,
    async download(origin, mediaId, access) {
      running()
      return media.download(origin, mediaId, access)
    },
    async thumbnail(origin, mediaId, asked, access) {
      running()
      return media.thumbnail(origin, mediaId, asked, access)
    },
    async scan(origin, mediaId, access) {
      running()
      return result(() => media.download(origin, mediaId, access))
    },
    downloadEncrypted,
    prune: () => parts?.scanner.prune() ?? Promise.resolve(0),
    scanEncrypted: (body, access) => result(() => downloadEncrypted(body, access)),
  }
}

async function result(work: () => Promise<unknown>): Promise<ScanResult> {
  try {
    await work()
    return CLEAN
  } catch (error) {
    if (error instanceof MatrixError && ANSWERS.has(error.extra['reason']))
      return { clean: false, info: error.message }
    throw error
  }
}

function messageOf(value: unknown): { ciphertext: string; mac: string; ephemeral: string } {
  const texts = ['ciphertext', 'mac', 'ephemeral'].map((name) => (isObject(value) ? value[name] : undefined))
  const [ciphertext, mac, ephemeral] = texts
  if (typeof ciphertext !== 'string' || typeof mac !== 'string' || typeof ephemeral !== 'string')
    throw scanError('MCS_MALFORMED_JSON', '`encrypted_body` has no `ciphertext`, `mac` and `ephemeral`')
  if (ciphertext.length > MAX_MESSAGE) throw scanError('MCS_MALFORMED_JSON', '`ciphertext` is too long')
  return { ciphertext, mac, ephemeral }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw scanError('MCS_MALFORMED_JSON', 'What was encrypted is no JSON')
  }
}
