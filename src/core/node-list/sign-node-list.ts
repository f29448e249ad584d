import { signingInput, addSignature, signaturesOf } from '../event/sign.js'
import { createHash } from 'node:crypto'
import { isObject, ownValue, type JsonObject } from '../json/value.js'
import { without } from '../event/hash.js'
import { lastAuthority, type Authority, type ListSigner, type NodeList } from './types.js'

/** In the bytes under a rotation, so that no signature of anything else passes for one. */
const AUTHORITY_TYPE = 'org.chancery.node_list.authority.v1'

/** The bytes that the signers of a list sign: its canonical form without any signatures, those of the authorities included. */
export function listSigningInput(json: JsonObject): Uint8Array {
  const authorities = ownValue(json, 'authorities')
  if (!Array.isArray(authorities)) return signingInput(json)
  const bare = authorities.map((authority) =>
    isObject(authority) ? without(authority, ['signatures']) : authority,
  )
  return signingInput({ ...json, authorities: bare })
}

/** The bytes that the old and the new signers sign at a rotation. */
export const authoritySigningInput = (circle: string, authority: JsonObject): Uint8Array =>
  signingInput({ type: AUTHORITY_TYPE, circle, authority: without(authority, ['signatures']) })

/** What tells two lists apart, whoever has signed them by now. Hexadecimal. */
export const nodeListDigest = (list: NodeList): string =>
  createHash('sha256').update(listSigningInput(list.json)).digest('hex')

/** Whether a signature (base64) over the bytes was made with the key (base64). */
export type VerifyBy = (publicKey: string, bytes: Uint8Array, signature: string) => boolean

/** Those of the signers whose signature stands under an object, by name; each counts once. */
export function signedBy(
  json: JsonObject,
  bytes: Uint8Array,
  signers: readonly ListSigner[],
  verify: VerifyBy,
): string[] {
  const names: string[] = []
  for (const { name, keyId, publicKey } of signers) {
    const signature = signaturesOf(json, name).get(keyId)
    if (signature !== undefined && verify(publicKey, bytes, signature)) names.push(name)
  }
  return names
}

/** A signer with the private key. */
export interface ListSigning {
  readonly name: string
  readonly keyId: string
  readonly publicKey: string
  sign(bytes: Uint8Array): string
}

/**
 * The document with the signature of one signer wherever it is asked for: under the list where the signer is of the last authority, and
 * under that authority where the signer is of it or of the one before. Undefined where it is asked for nowhere.
 */
export function signNodeList(list: NodeList, signing: ListSigning): JsonObject | undefined {
  const { name, keyId, publicKey, sign } = signing
  const isOf = (authority: Authority | undefined): boolean =>
    authority?.signers.some(
      (signer) => signer.name === name && signer.keyId === keyId && signer.publicKey === publicKey,
    ) === true
  const last = lastAuthority(list)
  const isNew = isOf(last)
  const isOld = isOf(list.authorities.at(-2))
  if (!isNew && !isOld) return undefined
  const bytes = authoritySigningInput(list.circle, last.json)
  const authorities = [
    ...list.authorities.slice(0, -1).map(({ json }) => json),
    addSignature(last.json, name, keyId, sign(bytes)),
  ]
  const document = { ...list.json, authorities }
  return isNew ? addSignature(document, name, keyId, sign(listSigningInput(document))) : document
}
