import type { Config } from '../config/schema.js'
import type { JsonObject } from '../core/json/value.js'
import { createAccountMoves, type AccountMoves } from '../services/account-moves/account-moves.js'
import type { AccountMovesDeps } from '../services/account-moves/move-context.js'
import type { Transport } from '../services/federation/transport.js'
import type { E2ee } from '../services/e2ee/e2ee.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { Memberships } from '../services/rooms/membership.js'
import { createRoomUpgrades, type RoomUpgrades } from '../services/upgrades/upgrade-room.js'
import { certificateChecks, externalServers } from './access-policy.js'

/** What replaces a room, and people who change ministry. Without a node list nobody does. */
export function buildMoves(
  deps: Omit<AccountMovesDeps, 'circle' | 'options' | 'client' | 'keys' | 'keyBackup' | 'roomUpgrades'> & {
    readonly config: Config
    readonly e2ee: E2ee
    readonly memberships: Memberships
    readonly memberProfile: (userId: string) => Promise<JsonObject>
    readonly transport: Transport
    readonly nodeList: NodeListService | undefined
  },
): { readonly roomUpgrades: RoomUpgrades; readonly accountMoves: AccountMoves } {
  const { config, nodeList, transport } = deps
  const { lifetime, interval, language, upgrade_rooms: upgradeRooms } = config.account_moves
  const isExternal = externalServers(config, nodeList) ?? (() => false)
  const roomUpgrades = createRoomUpgrades(deps)
  const accountMoves = createAccountMoves({
    ...deps,
    roomUpgrades,
    keyBackup: deps.e2ee.keyBackup,
    client: transport.client,
    keys: transport.keys,
    circle:
      nodeList === undefined
        ? undefined
        : {
            checks: certificateChecks(nodeList),
            isMember: (name) => nodeList.member(name) !== undefined,
            isExternal,
          },
    options: { lifetimeMs: lifetime, intervalMs: interval, language, upgradeRooms },
  })
  return { roomUpgrades, accountMoves }
}
