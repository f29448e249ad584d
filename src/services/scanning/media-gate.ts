import { UNKNOWN_CONTENT } from '../../core/sniff-type.js'
import { essence } from '../media/content-type.js'
import type { AuditTrail } from '../audit/trail.js'
import type { GateVerdict, MediaGate } from '../media/media-gate.js'
import { FORBIDDEN_TYPE, NOT_CLEAN, scanError, TOO_LARGE } from './scan-errors.js'
import type { FileVerdict, Scanner } from './scanner.js'
import { isTypeAllowed, type TypePolicy } from './type-policy.js'

export interface MediaGateDeps {
  readonly scanner: Scanner
  readonly types: TypePolicy
  readonly audit: Pick<AuditTrail, 'note' | 'count'>
  /** `strict`: what looks encrypted is given to nobody but, as it is, to servers of which `isMember` holds. */
  readonly mode: 'advisory' | 'strict'
  readonly isMember: (serverName: string) => boolean
}

/** Found by rules of thumb rather than by a signature: refused, but not put into quarantine. */
const isHeuristic = (signature: string): boolean => signature.startsWith('Heuristics.')

export const REFUSED = { act: 'media.refused', by: { kind: 'server' } } as const

/** What stands between a stored file and whoever asks for it. */
export function createMediaGate(deps: MediaGateDeps): MediaGate {
  const { scanner, types, mode, audit } = deps

  return {
    name: 'content-scanner',
    quarantined: () => scanError('MCS_MEDIA_NOT_CLEAN', NOT_CLEAN),
    async look(file, server): Promise<GateVerdict> {
      const verdict = await scanner.look(file.sha256, file, true)
      const refused = refusal(verdict)
      if (refused !== undefined) {
        const quarantine = verdict.kind === 'infected' && !isHeuristic(verdict.detail)
        const act = { ...REFUSED, on: file.uri, reason: verdict.detail } as const
        // What is in quarantine is not looked at again: one entry each.
        if (quarantine) await audit.note(act)
        else audit.count(act)
        return { error: refused, quarantine }
      }
      const isCiphertext = verdict.contentType === UNKNOWN_CONTENT && file.size > 0
      // A server of the circle scans what it gives to its own users by the same rules.
      if (isCiphertext && server !== undefined && deps.isMember(server)) return {}
      if (isCiphertext && mode === 'strict') {
        const info =
          server === undefined
            ? 'Encrypted files are given through the content scanner only'
            : 'Encrypted files are given to member servers only'
        return { error: scanError('MCS_MEDIA_ENCRYPTED', info), quarantine: false }
      }
      // What cannot be read has no type: the list of what is allowed speaks of it once it is decrypted.
      const content = isCiphertext ? undefined : verdict.contentType
      const declared = essence(file.contentType)
      const isAllowed = isTypeAllowed(
        content === undefined ? { ...types, allow: undefined } : types,
        content ?? UNKNOWN_CONTENT,
        declared,
      )
      return isAllowed
        ? {}
        : { error: scanError('MCS_MIME_TYPE_FORBIDDEN', FORBIDDEN_TYPE), quarantine: false }
    },
  }
}

/** The error for what the scanner does not let through; undefined for what it does. */
export function refusal(verdict: FileVerdict): ReturnType<typeof scanError> | undefined {
  if (verdict.kind === 'clean') return undefined
  return scanError('MCS_MEDIA_NOT_CLEAN', verdict.kind === 'infected' ? NOT_CLEAN : TOO_LARGE)
}
