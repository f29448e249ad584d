import { SERVER } from '../../core/audit/acts.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { diffNodeLists } from '../../core/node-list/diff-node-lists.js'
import {
  judgeNodeList, lifeOf, trustText, type HeldList, type LifePeriods, type ListLife, type ListRefusal, type Trust,
} from '../../core/node-list/judge-node-list.js' // prettier-ignore
import { parseNodeList } from '../../core/node-list/parse-node-list.js'
import {
  hasLeft,
  lastAuthority,
  type Member,
  type MemberRole,
  type NodeList as List,
} from '../../core/node-list/types.js'
import type { Clock } from '../../platform/clock.js'
import { verifySignatureBy } from '../../platform/ed25519.js'
import type { Logger } from '../../platform/logger.js'
import { knownMembers, takeNodeList, takenNodeList } from '../../storage/tables/node-list.js'
import type { Store } from '../../storage/tx.js'
import { NO_AUDIT, type AuditTrail } from '../audit/trail.js'
import type { Peers } from '../federation/peers.js'
import { freezeKnown } from './known-members.js'
import { listChecks } from './list-checks.js'
import type { ListSource } from './list-source.js'
import { indexed, listedPeers, type TakenList } from './listed-peers.js'

/** `taken`: another list than before; `same`: the one that is held already. */
export type RefreshOutcome = 'taken' | 'same' | 'unreachable' | 'malformed' | ListRefusal

export interface NodeListStatus {
  /** Undefined: there is no list, and nobody is spoken with. */
  readonly sequence: number | undefined
  readonly expiresAt: number | undefined
  readonly life: ListLife | undefined
}

/** The list of member nodes that this node goes by. */
export interface NodeListService {
  /** What the list says of other servers, at any moment. */
  readonly peers: Peers
  /** Goes on with the list that was held, else waits for the first one, for as long as the source takes. */
  start(): Promise<void>
  /** Job: looks whether the source has another list, and takes it where it is right. Never rejects for a bad list. */
  refresh(): Promise<RefreshOutcome>
  /** Job: tells of members whose time is over, warns of a list that runs out, and shuts new peers out when it has run out for too long. */
  watchAge(): Promise<void>
  /** A server that is a member now; undefined for all others. */
  member(serverName: string): Member | undefined
  /** All servers that are members now, in the order of the list. */
  memberNames(): readonly string[]
  /** The member to whom an e-mail address belongs; undefined where it is nobody's, or nobody knows. */
  memberOfAddress(address: string): Member | undefined | 'invalid'
  /** What a server is, or was when it left; undefined for one that does not stand in the list. */
  roleOf(serverName: string): MemberRole | undefined
  /** What the circle is called; undefined while there is no list. */
  circle(): string | undefined
  status(): NodeListStatus
}

export interface NodeListDeps {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly serverName: string
  readonly source: ListSource
  readonly audit?: AuditTrail
  readonly options: NodeListOptions
  /** The public half of the key that this server signs with, as unpadded base64. */
  readonly ownKey: () => string
  readonly onRefresh?: (outcome: RefreshOutcome) => void
  /** Servers that may have become members, or ceased to be. */
  readonly onChanged?: (serverNames: readonly string[]) => void
}

export interface NodeListOptions extends LifePeriods {
  /** Whose signatures the operator believes. */
  readonly trust: Trust
}

const DAY = 24 * 3_600_000
const MAX_TOLD = 20

export function createNodeList(deps: NodeListDeps): NodeListService {
  const { store, clock, logger, serverName, source, options, audit = NO_AUDIT } = deps
  const configured = trustText(options.trust)
  let taken: TakenList | undefined
  let held: HeldList | undefined
  let trust = options.trust
  /** While the list is frozen: the members that go on. */
  let known: ReadonlySet<string> | undefined
  let lookedAt = clock.now()
  let told: { readonly life: ListLife; readonly at: number } | undefined
  let running: Promise<RefreshOutcome> | undefined

  const lifeNow = (): ListLife | undefined => taken && lifeOf(taken.list, clock.now(), options)

  /** What was held when the node ran last. */
  async function load(): Promise<void> {
    const { row, names } = await store.read('nodeList.load', function* () {
      return { row: yield* takenNodeList(), names: yield* knownMembers() }
    })
    if (row === undefined) return
    const isSameTrust = row.configured === configured
    held = { circle: row.circle, sequence: row.sequence, digest: row.digest }
    const parsed = parseNodeList(row.document, listChecks)
    if (!parsed.ok) {
      logger.error(
        { faults: parsed.faults.slice(0, 5) },
        'the node list that was kept cannot be read any more',
      )
      return
    }
    // Who was told by rotations stands above the configuration, until this is changed.
    const believed = isSameTrust ? trustOf(parsed.list) : options.trust
    const verdict = judgeNodeList(parsed.list, {
      trust: believed,
      held,
      now: clock.now(),
      verify: verifySignatureBy,
    })
    if (!verdict.ok) {
      logger.error(
        { refusal: verdict.refusal, reason: verdict.reason },
        'the node list that was kept is not signed by the signers of the configuration',
      )
      return
    }
    trust = verdict.trust
    taken = indexed(parsed.list)
    if (row.frozen !== null) known = new Set(names)
  }

  async function carryOut(): Promise<RefreshOutcome> {
    let document: Uint8Array
    try {
      document = await source.read()
    } catch (error) {
      logger.warn({ err: error, source: source.name }, 'the node list cannot be had')
      return 'unreachable'
    }
    const parsed = parseNodeList(document, listChecks)
    if (!parsed.ok) {
      const faults = parsed.faults.slice(0, 5).map(({ path, problem }) => `${path} ${problem}`)
      logger.error({ source: source.name, faults }, 'the node list is not well-formed, and was refused')
      return 'malformed'
    }
    const { list } = parsed
    // An operator who names other signers may mean another circle.
    const before = taken === undefined && held?.circle !== list.circle ? undefined : held
    const verdict = judgeNodeList(list, { trust, held: before, now: clock.now(), verify: verifySignatureBy })
    if (!verdict.ok) {
      const { refusal, reason } = verdict
      logger.error(
        { source: source.name, refusal, reason, sequence: list.sequence },
        'the node list was refused',
      )
      audit.count({
        act: 'node_list.refused',
        by: SERVER,
        on: list.circle,
        outcome: refusal,
        details: { sequence: list.sequence },
      })
      return refusal
    }
    if (verdict.same && taken !== undefined) return 'same'
    await store.write('nodeList.take', function* () {
      const document = canonicalJson(list.json)
      yield* takeNodeList({ ...verdict.held, configured, document, taken: clock.now() })
      yield* audit.record({
        act: 'node_list.taken',
        by: SERVER,
        on: list.circle,
        details: {
          sequence: list.sequence,
          digest: verdict.held.digest,
          signed_by: verdict.signedBy.join(' '),
        },
      })
    })
    const old = taken
    held = verdict.held
    trust = verdict.trust
    known = undefined
    told = undefined
    taken = indexed(list)
    tellChanges(old?.list, list, verdict.signedBy)
    return 'taken'
  }

  function tellChanges(before: List | undefined, list: List, signers: readonly string[]): void {
    const common = { sequence: list.sequence, circle: list.circle, signedBy: signers }
    const names = (members: readonly Member[]): string[] =>
      members.slice(0, MAX_TOLD).map((member) => member.serverName)
    if (before === undefined) {
      logger.info({ ...common, members: list.members.length }, 'a node list was taken')
      deps.onChanged?.(list.members.map((member) => member.serverName))
    } else {
      const { added, removed, changed } = diffNodeLists(before, list)
      const touched = [...added, ...removed, ...changed.map(({ after }) => after)]
      logger.info(
        {
          ...common,
          added: names(added),
          removed: names(removed),
          changed: names(changed.map(({ after }) => after)),
        },
        'another node list was taken',
      )
      deps.onChanged?.(touched.map((member) => member.serverName))
    }
    const own = list.members.find((member) => member.serverName === serverName)
    if (own === undefined)
      logger.warn(common, 'this server does not stand in the node list: no other will speak with it')
    else if (own.keys.length > 0 && !own.keys.some((key) => key.publicKey === deps.ownKey()))
      logger.warn(common, 'the node list has other keys for this server than the one that it signs with')
  }

  /** Members whose announced day has come since the last look. */
  function tellDepartures(list: List): void {
    const before = lookedAt
    const now = (lookedAt = clock.now())
    const gone = list.members.filter((member) => hasLeft(member, now) && !hasLeft(member, before))
    if (gone.length === 0) return
    const names = gone.map((member) => member.serverName)
    logger.info({ members: names.slice(0, MAX_TOLD) }, 'members have left by the node list')
    deps.onChanged?.(names)
  }

  async function watchAge(): Promise<void> {
    const life = lifeNow()
    if (taken === undefined || life === undefined) return
    const { list } = taken
    tellDepartures(list)
    if (life === 'frozen' && known === undefined) {
      const found = await freezeKnown(store, clock.now())
      // Another list may have come meanwhile.
      if (taken.list === list) known = found
    }
    const now = clock.now()
    const isNews = told === undefined ? life !== 'current' : told.life !== life || now - told.at >= DAY
    if (told !== undefined && !isNews) return
    if (life !== 'current') {
      const expires = new Date(list.expiresAt).toISOString()
      logger[life === 'expiring' ? 'warn' : 'error']({ sequence: list.sequence, expires, life }, AGE[life])
    }
    told = { life, at: now }
  }

  function refresh(): Promise<RefreshOutcome> {
    running ??= carryOut()
      .then((outcome) => {
        deps.onRefresh?.(outcome)
        return outcome
      })
      .finally(() => (running = undefined))
    return running
  }

  return {
    peers: listedPeers({
      taken: () => taken,
      now: () => clock.now(),
      known: () => (lifeNow() === 'frozen' ? known : undefined),
    }),
    async start() {
      await load()
      if (taken === undefined) await refresh()
      if (taken === undefined)
        logger.error({ source: source.name }, 'there is no node list: no other server is spoken with')
      await watchAge()
    },
    refresh,
    watchAge,
    member(name) {
      const member = taken?.members.get(name)
      return member === undefined || hasLeft(member, clock.now()) ? undefined : member
    },
    memberNames: () =>
      (taken?.list.members ?? [])
        .filter((member) => !hasLeft(member, clock.now()))
        .map(({ serverName: name }) => name),
    memberOfAddress: (address) =>
      canonicalEmail(address) === undefined ? 'invalid' : taken?.emails.memberOf(address, clock.now()),
    circle: () => taken?.list.circle,
    roleOf: (name) => taken?.members.get(name)?.role,
    status: () => ({
      sequence: taken?.list.sequence,
      expiresAt: taken?.list.expiresAt,
      life: lifeNow(),
    }),
  }
}

const AGE = {
  expiring: 'the node list runs out soon, and there is no newer one',
  grace: 'the node list has run out; soon no new server is spoken with any more',
  frozen: 'the node list has run out: only servers with which rooms are shared are spoken with',
} as const

function trustOf(list: List): Trust {
  const { generation, threshold, signers } = lastAuthority(list)
  return { generation, threshold, signers }
}
