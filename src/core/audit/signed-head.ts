import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { ChainHead } from './follow-chain.js'

/** In the signed bytes, so that no signature of anything else passes for one. */
export const HEAD_TYPE = 'org.chancery.audit_head.v1'

/** What a node says of its audit log at a moment: where it ends. It is signed with the node's key as any JSON of Matrix. */
export interface DepositedHead extends ChainHead {
  readonly serverName: string
  /** Milliseconds since 1970. */
  readonly ts: number
}

/** As it is signed. */
export const headJson = ({ serverName, id, hash, ts }: DepositedHead): JsonObject => ({
  type: HEAD_TYPE,
  server_name: serverName,
  id,
  hash,
  ts,
})

/** In the signed bytes of a record of what was cut off. */
export const CUT_TYPE = 'org.chancery.audit_cut.v1'

/** What a node says of entries that it has cut off: the last of them, and the hash of the chain there. Signed as a head is. */
export const cutJson = (cut: DepositedHead): JsonObject => ({ ...headJson(cut), type: CUT_TYPE })

const HASH = /^[0-9a-f]{64}$/

export const isHash = (value: unknown): value is string => typeof value === 'string' && HASH.test(value)

const isCount = (value: Json | undefined): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0

/** What a document says; undefined where it is no such document. Its signature is for the caller to check. */
export const readHead = (json: Json | undefined): DepositedHead | undefined => read(json, HEAD_TYPE)

/** The same of a record of a cut, with the document whose signature is to be checked. */
export function readCut(json: Json | undefined): (DepositedHead & { readonly json: JsonObject }) | undefined {
  const cut = read(json, CUT_TYPE)
  return cut === undefined || !isObject(json) ? undefined : { ...cut, json }
}

function read(json: Json | undefined, type: string): DepositedHead | undefined {
  if (!isObject(json) || ownValue(json, 'type') !== type) return undefined
  const [serverName, id, hash, ts] = ['server_name', 'id', 'hash', 'ts'].map((name) => ownValue(json, name))
  if (typeof serverName !== 'string' || !isCount(id) || id === 0 || !isHash(hash) || !isCount(ts))
    return undefined
  return { serverName, id, hash, ts }
}
