import type { Config } from '../config/schema.js'
import type { Trust } from '../core/node-list/judge-node-list.js'
import { publicKey } from '../platform/ed25519.js'

/** Whose signatures count, as the configuration has it. */
export function trustOf(config: Config): Trust {
  const { trusted_signers: signers, threshold } = config.node_list
  return {
    threshold: threshold ?? signers.length,
    signers: signers.map((signer) => ({
      name: signer.name,
      keyId: signer.key_id,
      publicKey: publicKey(signer.public_key)?.base64 ?? '',
    })),
  }
}
