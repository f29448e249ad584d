import type { Signer as EventSigner } from '../../../../core/event/sign.js'
import {
  createSigner,
  publicKey,
  verifySignature,
  type PublicKey,
  type Signer,
} from '../../../../platform/ed25519.js'
import type { Seeded } from './seeded.js'

/** Signs and verifies for all nodes of a run. What was verified once is not verified again for each node: the answer is the same. */
export interface SimKeys {
  signer(chance: Seeded): Signer
  verify(key: PublicKey, bytes: Uint8Array, signature: string): Promise<boolean>
}

export function createSimKeys(): SimKeys {
  const verdicts = new Map<string, boolean>()
  const nameOf = (key: string, bytes: Uint8Array, signature: string): string =>
    `${key} ${signature} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')}`
  return {
    signer(chance) {
      const inner = createSigner({ version: 'sim', seed: chance.random.bytes(32) })
      const { base64 } = publicKey(inner.publicKey)!
      return {
        ...inner,
        sign(bytes) {
          const signature = inner.sign(bytes)
          verdicts.set(nameOf(base64, bytes, signature), true)
          return signature
        },
      }
    },
    verify(key, bytes, signature) {
      const name = nameOf(key.base64, bytes, signature)
      let verdict = verdicts.get(name)
      if (verdict === undefined) verdicts.set(name, (verdict = verifySignature(key, bytes, signature)))
      return Promise.resolve(verdict)
    },
  }
}

export const eventSignerOf = (serverName: string, { keyId, sign }: Signer): EventSigner => ({
  serverName,
  keyId,
  sign,
})
