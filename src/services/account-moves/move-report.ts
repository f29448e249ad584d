import { BACKUP_SECRET } from '../../core/account-move/moving-data.js'
import { accountData } from '../../storage/tables/account-data.js'
import { devicesOfUser } from '../../storage/tables/devices.js'
import { currentBackup } from '../../storage/tables/key-backup.js'
import { joinedRoomIds } from '../../storage/tables/memberships.js'
import { movablePerson, type AccountMovesDeps } from './move-context.js'
import { planRoom, powerBehind } from './room-plan.js'

/** What will stay behind of an account that moves, told before anything is done. */
export interface MoveReport {
  readonly oldUser: string
  readonly newUser: string
  readonly rooms: number
  readonly encrypted: number
  /** The key backup that goes along; undefined: there is none, and what was said in encrypted rooms cannot be read with the new account. */
  readonly backup: { readonly keys: number; readonly hasStoredSecret: boolean } | undefined
  /** Sessions that have to sign in with the new account. */
  readonly devices: number
  /** Rooms that the new account does not come into by itself. */
  readonly outside: readonly {
    readonly roomId: string
    readonly name: string | undefined
    readonly why: string
  }[]
  readonly powersBehind: readonly {
    readonly roomId: string
    readonly name: string | undefined
    readonly why: string
  }[]
  /** Rooms that are replaced by others, where the configuration says so. */
  readonly replaced: readonly { readonly roomId: string; readonly name: string | undefined }[]
}

/** Reads all rooms of the account: about 1 ms for each. Throws M_NOT_FOUND, M_INVALID_PARAM. */
export async function reportMove(
  deps: Pick<AccountMovesDeps, 'store' | 'context' | 'options'>,
  oldUser: string,
  newUser: string,
): Promise<MoveReport> {
  const { store, context, options } = deps
  const known = await store.read('accountMoves.report', function* () {
    yield* movablePerson(oldUser)
    return {
      roomIds: yield* joinedRoomIds(oldUser),
      backup: yield* currentBackup(oldUser),
      secret: yield* accountData(oldUser, '', BACKUP_SECRET),
      devices: yield* devicesOfUser(oldUser),
    }
  })
  const outside: { roomId: string; name: string | undefined; why: string }[] = []
  const powersBehind: typeof outside = []
  const replaced: { roomId: string; name: string | undefined }[] = []
  let rooms = 0
  let encrypted = 0
  for (const roomId of known.roomIds) {
    const plan = await planRoom(context, roomId, oldUser, newUser)
    if (plan === undefined) continue
    rooms++
    if (plan.isEncrypted) encrypted++
    const { name, why } = plan
    if (why !== undefined) outside.push({ roomId, name, why })
    const behind = powerBehind(plan, oldUser)
    if (behind === undefined) continue
    if (plan.power === 'creator' && options.upgradeRooms && !plan.isDirect) replaced.push({ roomId, name })
    else powersBehind.push({ roomId, name, why: behind })
  }
  return {
    oldUser,
    newUser,
    rooms,
    encrypted,
    backup:
      known.backup === undefined
        ? undefined
        : { keys: known.backup.sessions, hasStoredSecret: known.secret !== undefined },
    devices: known.devices.length,
    outside,
    powersBehind,
    replaced,
  }
}
