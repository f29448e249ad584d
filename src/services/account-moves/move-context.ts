import type { CertificateChecks } from '../../core/account-move/move-certificate.js'
import { SERVER, type Actor } from '../../core/audit/acts.js'
import { MatrixError, invalidParam, notFound } from '../../core/errors.js'
import type { Signer } from '../../core/event/sign.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Notifier } from '../../platform/notifier.js'
import type { Random } from '../../platform/random.js'
import { stepAccountMove, type AccountMoveRow, type MoveChange } from '../../storage/tables/account-moves.js'
import { userById } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AccountData } from '../account-data/account-data.js'
import type { AuditTrail } from '../audit/trail.js'
import type { TokenCache } from '../devices/token-cache.js'
import type { KeyBackup } from '../e2ee/key-backup.js'
import type { FederationClient } from '../federation/client.js'
import type { Keys } from '../federation/keys.js'
import type { Profile } from '../profile/profile.js'
import type { PushRules } from '../push/push-rules.js'
import type { RoomsContext } from '../rooms/context.js'
import type { Memberships } from '../rooms/membership.js'
import type { Sending } from '../rooms/send.js'
import type { RoomUpgrades } from '../upgrades/upgrade-room.js'
import type { MoveLanguage } from './words.js'

/** Who is in the circle, and how its certificates are verified. */
export interface MoveCircle {
  readonly checks: CertificateChecks
  isMember(serverName: string): boolean
  isExternal(serverName: string): boolean
}

export interface AccountMovesDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly logger: Logger
  readonly notifier: Pick<Notifier, 'notify'>
  readonly serverName: string
  readonly audit: AuditTrail
  readonly context: RoomsContext
  readonly memberships: Pick<Memberships, 'invite' | 'join'>
  readonly sending: Pick<Sending, 'message' | 'state'>
  readonly roomUpgrades: Pick<RoomUpgrades, 'upgrade'>
  readonly profile: Pick<Profile, 'setManaged'>
  readonly accountData: Pick<AccountData, 'put'>
  readonly pushRules: Pick<PushRules, 'rulesOf' | 'forget'>
  readonly keyBackup: Pick<KeyBackup, 'createVersion' | 'version' | 'put'>
  readonly tokenCache: Pick<TokenCache, 'forget'>
  readonly client: Pick<FederationClient, 'request'>
  readonly keys: Pick<Keys, 'verifyJson'>
  readonly signer: Signer
  /** Undefined where there is no list of member nodes: nobody moves. */
  readonly circle: MoveCircle | undefined
  readonly options: AccountMovesOptions
}

export interface AccountMovesOptions {
  /** How long a move may take from its order on, and how long a node waits for one, in milliseconds. */
  readonly lifetimeMs: number
  /** The first wait for another node, in milliseconds; later ones are longer. */
  readonly intervalMs: number
  readonly language: MoveLanguage
  /** Whether rooms of version 12 that the person has made are replaced by rooms that both accounts have made. */
  readonly upgradeRooms: boolean
}

const BASE = '/_matrix/federation/unstable/org.chancery/account_move'
export const OFFER_PATH = `${BASE}/offer`
export const BUNDLE_PATH = `${BASE}/bundle`
export const PROGRESS_PATH = `${BASE}/progress`
export const REQUEST_TIMEOUT_MS = 60_000
/** The field of a profile that says where its person has gone. */
export const MOVED_FIELD = 'org.chancery.moved_to'
const MAX_WAIT_MS = 3_600_000

/** The wait after so many tries. */
export const waitMs = ({ intervalMs }: AccountMovesOptions, attempts: number): number =>
  Math.min(MAX_WAIT_MS, intervalMs * 2 ** Math.min(attempts, 30))

/** Throws M_UNRECOGNIZED where there is no circle to move in. */
export function circleOf({ circle }: Pick<AccountMovesDeps, 'circle'>): MoveCircle {
  if (circle === undefined)
    throw new MatrixError('M_UNRECOGNIZED', 'This server goes by no list of nodes: nobody moves', {}, 404)
  return circle
}

/** One answer for all that is not there, or is no business of who asks. */
export const noSuchMove = (): MatrixError => notFound('There is no such move')

/** Throws where an account of this server is not that of a person who can move. */
export function* movablePerson(userId: string): Tx<void> {
  const user = yield* userById(userId)
  if (user === undefined || user.deactivated === 1) throw notFound(`There is no active account ${userId}`)
  if (user.is_guest === 1 || user.appservice_id !== null)
    throw invalidParam(`${userId} is no account of a person`)
  if (user.is_admin === 1)
    throw invalidParam(`${userId} is an administrator: take these rights away first, they do not move`)
}

/**
 * Post: the move is at another step, and the audit log says so. False where somebody else was quicker: then nothing was written.
 * As late in a body as possible (`AuditTrail.record`).
 */
export function* takeStep(
  audit: AuditTrail,
  row: AccountMoveRow,
  change: MoveChange,
  by: Actor = SERVER,
): Tx<boolean> {
  if (!(yield* stepAccountMove(row, change))) return false
  yield* audit.record(actOf(row, change.step, by))
  return true
}

export const actOf = (
  row: Pick<AccountMoveRow, 'side' | 'old_user' | 'new_user' | 'nonce' | 'consent' | 'reason'>,
  step: string,
  by: Actor,
) =>
  ({
    act: 'account.moved',
    by,
    on: row.side === 'source' ? row.old_user : row.new_user,
    ...(row.reason === '' ? {} : { reason: row.reason }),
    details: {
      step,
      from: row.old_user,
      to: row.new_user,
      ...(row.side === 'source' ? { consent: row.consent === 1 } : {}),
    },
  }) as const
