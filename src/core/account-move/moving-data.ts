import { isObject, ownValue, type JsonObject } from '../json/value.js'

/** Where clients keep the secret that opens the key backup, itself encrypted with a key of the secret storage. */
export const BACKUP_SECRET = 'm.megolm_backup.v1'
const DEFAULT_KEY = 'm.secret_storage.default_key'
const STORAGE_KEY = 'm.secret_storage.key.'

/** What names devices or secrets that do not move, or travels by itself. */
const STAYS: readonly string[] = [
  'm.cross_signing.',
  'm.secret_storage.',
  'm.dehydrated_device',
  'org.matrix.msc3814.',
  'm.local_notification_settings.',
  'org.matrix.msc3890.',
  'm.push_rules',
]
const MAX_KEYS = 20

/** The keys of the secret storage with which the secret of the key backup is encrypted, by the content of `BACKUP_SECRET`. */
export function backupKeyIds(secret: JsonObject | undefined): readonly string[] {
  const encrypted = secret === undefined ? undefined : ownValue(secret, 'encrypted')
  return isObject(encrypted) ? Object.keys(encrypted).slice(0, MAX_KEYS) : []
}

/**
 * Whether an entry of account data goes with its person to another account. Secrets stay behind, but for those without which the key backup that goes along
 * could not be read: its own, and the description of the keys that it is encrypted with (`keyIds`; none where no backup goes along). The signing
 * keys of an account are its own: another account has others.
 */
export function travels(type: string, content: JsonObject, keyIds: readonly string[]): boolean {
  if (type === BACKUP_SECRET) return keyIds.length > 0
  if (type === DEFAULT_KEY) {
    const key = ownValue(content, 'key')
    return typeof key === 'string' && keyIds.includes(key)
  }
  if (type.startsWith(STORAGE_KEY)) return keyIds.includes(type.slice(STORAGE_KEY.length))
  if (STAYS.some((prefix) => type.startsWith(prefix))) return false
  // Any other secret in the storage.
  return !isObject(ownValue(content, 'encrypted'))
}
