import type { Signer as EventSigner } from '../../../../core/event/sign.js'
import {
  createSigner,
  publicKey,
  verifySignature,
  type PublicKey,
  type Signer,
} from '../../../../platform/ed25519.js'
import { createLru } from '../../../../platform/lru.js'
import { seeded } from './seeded.js'

/** What was signed here, or verified once, is not verified again for each node and each run: the answer is the same. */
const verdicts = createLru<string, boolean>({ max: 20_000 })
/** Servers have the same keys in all runs. */
const signers = new Map<string, Signer>()

const nameOf = (key: string, bytes: Uint8Array, signature: string): string =>
  `${key} ${signature} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')}`

/** The key of a server. */
export function signerOf(serverName: string): Signer {
  const known = signers.get(serverName)
  if (known !== undefined) return known
  const inner = createSigner({ version: 'sim', seed: seeded(`key of ${serverName}`).random.bytes(32) })
  const { base64 } = publicKey(inner.publicKey)!
  const signer: Signer = {
    ...inner,
    sign(bytes) {
      const signature = inner.sign(bytes)
      verdicts.set(nameOf(base64, bytes, signature), true)
      return signature
    },
  }
  signers.set(serverName, signer)
  return signer
}

export function verifyOnce(key: PublicKey, bytes: Uint8Array, signature: string): Promise<boolean> {
  const name = nameOf(key.base64, bytes, signature)
  let verdict = verdicts.get(name)
  if (verdict === undefined) verdicts.set(name, (verdict = verifySignature(key, bytes, signature)))
  return Promise.resolve(verdict)
}

export const eventSignerOf = (serverName: string, { keyId, sign }: Signer): EventSigner => ({
  serverName,
  keyId,
  sign,
})
