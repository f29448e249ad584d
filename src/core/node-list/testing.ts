import { createHash } from 'node:crypto'
import { createSigner, publicKey, verifySignatureBy, type Signer } from '../../platform/ed25519.js'
import type { JsonObject } from '../json/value.js'
import type { ListChecks } from './parse-member.js'
import { NODE_LIST_TYPE, parseNodeList } from './parse-node-list.js'
import type { Trust } from './judge-node-list.js'
import { signNodeList, type ListSigning } from './sign-node-list.js'
import type { NodeList } from './types.js'

export const DAY = 24 * 3_600_000
/** 2026-09-21. */
export const ISSUED = 1_790_000_000_000

/** A key that is always the same for a name. */
export function keyFor(name: string, version = 'a_1'): Signer {
  return createSigner({ version, seed: createHash('sha256').update(`${name} ${version}`).digest() })
}

export const listSigner = (name: string, version?: string): ListSigning => ({
  name,
  ...keyFor(name, version),
})

export const checks: ListChecks = {
  isPublicKey: (text) => publicKey(text) !== undefined,
  isCertificate: (pem) => pem.startsWith('-----BEGIN CERTIFICATE-----'),
}
export const verify = verifySignatureBy

export const signerJson = ({ name, keyId, publicKey: key }: ListSigning): JsonObject => ({
  name,
  key_id: keyId,
  public_key: key,
})

export function authorityJson(
  generation: number,
  threshold: number,
  signers: readonly ListSigning[],
): JsonObject {
  return { generation, threshold, signers: signers.map(signerJson) }
}

export const trustIn = (threshold: number, signers: readonly ListSigning[]): Trust => ({
  threshold,
  signers: signers.map(({ name, keyId, publicKey: key }) => ({ name, keyId, publicKey: key })),
})

export function memberJson(serverName: string, more: JsonObject = {}): JsonObject {
  const { keyId, publicKey: key } = keyFor(serverName)
  return {
    server_name: serverName,
    label: `The people of ${serverName}`,
    role: 'agents',
    keys: [{ key_id: keyId, public_key: key }],
    ...more,
  }
}

export function listJson(more: JsonObject = {}): JsonObject {
  return {
    type: NODE_LIST_TYPE,
    circle: 'administration.example',
    sequence: 1,
    issued_at: ISSUED,
    expires_at: ISSUED + 90 * DAY,
    authorities: [],
    members: [],
    ...more,
  }
}

/** A list that must be well-formed. */
export function parsed(json: JsonObject): NodeList {
  const result = parseNodeList(JSON.stringify(json), checks)
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  return result.list
}

/** The list with the signatures of all of these, where they are asked for. */
export function signedJson(json: JsonObject, signers: readonly ListSigning[]): JsonObject {
  return signers.reduce((document, signer) => signNodeList(parsed(document), signer) ?? document, json)
}

export const signedList = (json: JsonObject, signers: readonly ListSigning[]): NodeList =>
  parsed(signedJson(json, signers))
