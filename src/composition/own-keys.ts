import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/schema.js'
import { systemClock } from '../platform/clock.js'
import { systemRandom } from '../platform/random.js'
import { replaceFile } from '../platform/replace-file.js'
import { createOwnKeys, type OwnKeys } from '../services/federation/own-keys.js'

/** The keys of the file that the configuration names, and those of before that it lists. Throws where the file cannot be read. */
export function configuredKeys(config: Config): OwnKeys {
  const path = config.signing_key_path
  return createOwnKeys({
    file: { read: () => readFile(path, 'utf8'), replace: (text) => replaceFile(path, text) },
    text: readFileSync(path, 'utf8'),
    configured: config.old_signing_keys.map((key) => ({
      keyId: key.key_id,
      publicKey: key.public_key,
      expiredTs: key.expired_ts,
    })),
    clock: systemClock,
    random: systemRandom,
  })
}
