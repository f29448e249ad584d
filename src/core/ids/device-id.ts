import { fitsId, isLegalText } from './common.js'

/**
 * A device id is opaque: any text without NUL, not empty, at most 255 bytes. It becomes part of key ids
 * (`ed25519:DEVICE`), which are split at their first colon, so that a colon does no harm.
 */
export const isDeviceId = (text: string): boolean => text !== '' && fitsId(text) && isLegalText(text)
