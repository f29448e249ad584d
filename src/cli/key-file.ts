import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createSigner, generateSigningKey, parseKeyFile, writeKeyFile } from '../platform/ed25519.js'
import { systemRandom } from '../platform/random.js'
import { CliError } from './command.js'

export interface PublicHalf {
  readonly keyId: string
  readonly publicKey: string
}

/** Writes a new signing key, readable by its owner alone. Never overwrites: a lost key cannot be made again. */
export function createKeyFile(path: string): PublicHalf {
  const key = generateSigningKey(systemRandom)
  let file: number
  try {
    file = openSync(path, 'wx', 0o600)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') throw new CliError(`${path} exists already; a signing key is never overwritten`)
    throw new CliError(`${path} cannot be written (${code ?? String(error)})`)
  }
  try {
    writeSync(file, writeKeyFile(key))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return createSigner(key)
}

/** The public halves of a key file. Throws CliError where it cannot be read or is not one. */
export function readKeyFile(path: string): PublicHalf[] {
  try {
    return parseKeyFile(readFileSync(path, 'utf8')).map(createSigner)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const why =
      code === 'ENOENT' ? 'is not there; make it with `chancery generate-key`' : (error as Error).message
    throw new CliError(`the signing key ${path}: ${why}`)
  }
}
