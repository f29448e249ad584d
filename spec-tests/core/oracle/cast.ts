import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'

/** The people and servers of the generated rooms. */
export const CREATOR = '@alice:a.example'
export const USERS = [
  CREATOR,
  '@bob:a.example',
  '@carol:b.example',
  '@dave:b.example',
  '@erin:c.example',
  '@Frank/Ü:c.example',
  '@mallory:d.example:8448',
] as const
export const domainOf = (userId: string): string => userId.slice(userId.indexOf(':') + 1)

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

export interface IdentityServer {
  readonly publicKey: string
  sign(message: string): string
}

/** An identity server whose key depends only on its name. */
function identityServer(name: string): IdentityServer {
  const seed = createHash('sha256').update(name).digest()
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return {
    publicKey: unpadded(spki.subarray(SPKI.length)),
    sign: (message) => unpadded(sign(null, Buffer.from(message), privateKey)),
  }
}

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

/** Two identity servers: a third-party invite by one is not fulfilled by a signature of the other. */
export const IDENTITY_SERVERS = [identityServer('id.example'), identityServer('id2.example')] as const

/** Public keys as objects: making one costs more than using it, and few exist. */
const keyObjects = new Map(
  IDENTITY_SERVERS.map(({ publicKey }) => [
    publicKey,
    createPublicKey({
      key: Buffer.concat([SPKI, Buffer.from(publicKey, 'base64')]),
      format: 'der',
      type: 'spki',
    }),
  ]),
)

/** Checks an Ed25519 signature by one of the identity servers; key and signature in unpadded base64. */
export function verifyEd25519(publicKey: string, message: Uint8Array, signature: string): boolean {
  const key = keyObjects.get(publicKey)
  return key !== undefined && verify(null, message, key, Buffer.from(signature, 'base64'))
}
