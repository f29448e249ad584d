import { generateKeyPairSync, sign } from 'node:crypto'
import canonicalJson from 'canonical-json'
import type { User } from './client.js'

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

export interface CrossSigningKeys {
  readonly master_key: object
  readonly self_signing_key: object
  readonly user_signing_key: object
}

/** New keys that a user signs with: a master key, and those that it has signed. */
export function newCrossSigningKeys(user: User): CrossSigningKeys {
  const pair = (): { privateKey: Parameters<typeof sign>[2]; name: string } => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    return { privateKey, name: unpadded(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)) }
  }
  const master = pair()
  const key = (usage: string, { name }: { name: string }): object => ({
    user_id: user.userId,
    usage: [usage],
    keys: { [`ed25519:${name}`]: name },
  })
  const signed = (usage: string): object => {
    const made = key(usage, pair())
    const signature = unpadded(sign(null, Buffer.from(canonicalJson(made)!), master.privateKey))
    return { ...made, signatures: { [user.userId]: { [`ed25519:${master.name}`]: signature } } }
  }
  return {
    master_key: key('master', master),
    self_signing_key: signed('self_signing'),
    user_signing_key: signed('user_signing'),
  }
}
