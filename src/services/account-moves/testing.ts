import { provenMove, type CertificateChecks } from '../../core/account-move/move-certificate.js'
import type { AccessPolicy } from '../../core/access-rules/access-policy.js'
import { MatrixError } from '../../core/errors.js'
import { parseJson } from '../../core/json/parse.js'
import type { JsonObject } from '../../core/json/value.js'
import { systemClock } from '../../platform/clock.js'
import { verifySignatureBy } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { createNotifier } from '../../platform/notifier.js'
import { systemRandom } from '../../platform/random.js'
import { insertUser } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import { createAccountData, type AccountData } from '../account-data/account-data.js'
import { createAudit, type Audit } from '../audit/audit.js'
import { createTokenCache } from '../devices/token-cache.js'
import { createKeyBackup, type KeyBackup } from '../e2ee/key-backup.js'
import { FederationError, type FederationRequest } from '../federation/client.js'
import { createProfile, type Profile } from '../profile/profile.js'
import { createWorld, type HandshakeNode, type World } from '../replication/testing/handshakes.js'
import { createRoomUpgrades } from '../upgrades/upgrade-room.js'
import { createAccountMoves, type AccountMoves } from './account-moves.js'
import type { AccountMovesOptions } from './move-context.js'

/** For tests: nodes of a circle in one process, between which accounts move. */
export interface MoveWorld {
  readonly world: World
  readonly nodes: Map<string, MoveNode>
  /** Milliseconds that the moves' clock is ahead of the others. */
  ahead: number
  /** Requests between nodes about moves, in order; throws in the place of an answer, or changes it. */
  intercept: (
    from: string,
    request: FederationRequest,
    answer: () => Promise<JsonObject>,
  ) => Promise<JsonObject>
  node(name: string, options?: Partial<AccountMovesOptions>): Promise<MoveNode>
  /** Runs all nodes, and lets time pass, until the condition holds. */
  until(what: string, condition: () => Promise<boolean>): Promise<void>
  close(): Promise<void>
}

export interface MoveNode {
  readonly node: HandshakeNode
  readonly store: Store
  readonly profile: Profile
  readonly accountData: AccountData
  readonly keyBackup: KeyBackup
  readonly audit: Audit
  moves: AccountMoves
  /** Writes of moves, in order, by label. */
  readonly writes: string[]
  /** Each process of it ends right after its first write, or right before its second: what it has done in between is done again. */
  dies: 'after-first' | 'before-second' | undefined
  isDown: boolean
  /** How many processes have died. */
  deaths: number
  /** As after a restart. */
  restart(): void
  user(name: string, more?: { readonly isAdmin?: boolean }): Promise<string>
}

const OPTIONS: AccountMovesOptions = {
  lifetimeMs: 14 * 24 * 3_600_000,
  intervalMs: 1_000,
  language: 'en',
  upgradeRooms: false,
}
const MINUTE = 60_000

class Crash extends Error {}

export function createMoveWorld(
  policy: Pick<AccessPolicy, 'isExternalServer'> = { isExternalServer: () => false },
): MoveWorld {
  const world = createWorld()
  const checks: CertificateChecks = {
    keysOf(name) {
      const key = world.strangers.get(name)
      return key === undefined
        ? undefined
        : new Map([[key.keyId, { base64: key.publicKey, validFrom: undefined, validUntil: undefined }]])
    },
    verify: verifySignatureBy,
  }
  const access: AccessPolicy = {
    ...policy,
    bypasses: () => false,
    provenMove: (certificate) => provenMove(certificate, checks),
  }
  const moveWorld: MoveWorld = {
    world,
    nodes: new Map(),
    ahead: 0,
    intercept: (_from, _request, answer) => answer(),
    node: (name, options = {}) => addNode(name, options),
    async until(what, condition) {
      for (let round = 0; round < 200; round++) {
        if (await condition()) return
        const all = [...moveWorld.nodes.values()]
        for (const each of all) await each.moves.run().catch(() => undefined)
        for (const each of all) if (each.isDown) each.restart()
        moveWorld.ahead += MINUTE
      }
      const states = await Promise.all([...moveWorld.nodes.values()].map((each) => each.moves.status()))
      throw new Error(`never: ${what}: ${JSON.stringify(states)}`)
    },
    async close() {
      for (const each of moveWorld.nodes.values()) await each.moves.close()
      await world.close()
    },
  }

  async function answer(from: string, request: FederationRequest): Promise<JsonObject> {
    const target = moveWorld.nodes.get(request.destination)
    if (target === undefined || target.isDown) throw new FederationError('unreachable', 'no such server')
    const body = (request.body ?? {}) as {
      certificate: JsonObject
      nonce: string
      place?: JsonObject
      step: never
    }
    try {
      switch (request.path.split('/').at(-1)) {
        case 'offer':
          return await target.moves.offer(from, body.certificate)
        case 'bundle':
          return { sealed: await target.moves.part(from, body.nonce, body.place) }
        default:
          await target.moves.progress(from, body.nonce, body.step)
          return {}
      }
    } catch (error) {
      if (error instanceof Crash) throw new FederationError('unreachable', 'the connection was lost')
      if (!(error instanceof MatrixError)) throw error
      const status = error.errcode === 'M_NOT_FOUND' ? 404 : 403
      throw new FederationError('status', error.message, { status, errcode: error.errcode })
    }
  }

  async function addNode(name: string, options: Partial<AccountMovesOptions>): Promise<MoveNode> {
    const node = await world.node(name, access)
    const { store, context } = node
    const notifier = createNotifier()
    const clock = { now: () => systemClock.now() + moveWorld.ahead }
    const audit = createAudit({ store, clock, logger: silentLogger, options: { enabled: true } })
    const accountData = createAccountData({ store, notifier })
    const keyBackup = createKeyBackup({ store })
    const profile = createProfile({
      store,
      logger: silentLogger,
      serverName: name,
      fetchRemoteProfile: () => Promise.reject(new Error('not used')),
      onProfileChanged: () => Promise.resolve(),
    })
    const made: MoveNode = {
      node,
      store,
      profile,
      accountData,
      keyBackup,
      audit,
      moves: undefined as never,
      writes: [],
      dies: undefined,
      isDown: false,
      deaths: 0,
      restart() {
        made.isDown = false
        made.moves = build()
      },
      async user(localpart, { isAdmin = false } = {}) {
        const userId = `@${localpart}:${name}`
        const row = { userId, passwordHash: null, createdTs: 0, isGuest: false, isAdmin, appserviceId: null }
        await store.write('test.user', () => insertUser(row))
        return userId
      },
    }
    /** The store of a process that can end: from then on nothing of it gets to the disk any more. */
    function mortal(): Store {
      let isDead = false
      let writes = 0
      const die = (): never => {
        if (!isDead) made.deaths++
        isDead = true
        made.isDown = true
        throw new Crash('the process has ended')
      }
      return {
        ...store,
        dialect: store.dialect,
        async read(label, body) {
          if (isDead) die()
          return await store.read(label, body)
        },
        async write(label, body) {
          if (isDead) die()
          if (made.dies === 'before-second' && writes === 1) die()
          writes++
          made.writes.push(label)
          const result = await store.write(label, body)
          if (made.dies === 'after-first') die()
          return result
        },
        position: () => store.position(),
        close: () => store.close(),
      }
    }
    const build = (): AccountMoves =>
      createAccountMoves({
        store: mortal(),
        clock,
        random: systemRandom,
        logger: silentLogger,
        notifier,
        serverName: name,
        audit,
        context,
        memberships: node.memberships,
        sending: node.sending,
        roomUpgrades: createRoomUpgrades({
          context,
          memberships: {} as never,
          memberProfile: () => Promise.resolve({}),
        }),
        profile,
        accountData,
        pushRules: node.pushRules,
        keyBackup,
        tokenCache: createTokenCache(systemClock),
        client: {
          async request(request) {
            // As it travels: nothing is shared between the two.
            const text = JSON.stringify(request.body ?? {})
            const carried = { ...request, body: JSON.parse(text) as JsonObject }
            const found = await moveWorld.intercept(name, carried, () => answer(name, carried))
            const parsed = parseJson(JSON.stringify(found))
            if (!parsed.ok) throw new FederationError('bad-response', parsed.reason)
            return parsed.value as JsonObject
          },
        },
        keys: node.keys,
        signer: node.signer,
        circle: {
          checks,
          isMember: (server) => world.nodes.has(server),
          isExternal: (server) => policy.isExternalServer(server),
        },
        options: { ...OPTIONS, ...options },
      })
    made.moves = build()
    moveWorld.nodes.set(name, made)
    return made
  }
  return moveWorld
}
