import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/schema.js'
import { createClamd, type ClamdAddress } from '../platform/clamd.js'
import type { Clock } from '../platform/clock.js'
import type { Signer } from '../platform/ed25519.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import { runCommand } from '../platform/run-command.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { MediaGate } from '../services/media/media-gate.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import { clamdEngine, commandEngine, type ScanEngine } from '../services/scanning/engine.js'
import { createMediaGate } from '../services/scanning/media-gate.js'
import { createPkDecryption, type PkDecryption } from '../services/scanning/pk-decryption.js'
import { createScanner, type Scanner } from '../services/scanning/scanner.js'
import type { TypePolicy } from '../services/scanning/type-policy.js'
import type { Store } from '../storage/tx.js'

export interface ScannerParts {
  readonly scanner: Scanner
  readonly types: TypePolicy
  readonly audit: AuditTrail
  readonly decryption: () => PkDecryption
  readonly gate: MediaGate
}

/** Undefined where files are given as they are. */
export async function buildScanner(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly signer: Signer
  readonly nodeList: NodeListService | undefined
  readonly audit: AuditTrail
  readonly nodeMetrics: NodeMetrics | undefined
}): Promise<ScannerParts | undefined> {
  const { config, signer, nodeList } = deps
  const {
    engine,
    mode,
    max_bytes: maxBytes,
    timeout: timeoutMs,
    max_concurrent: maxConcurrent,
    allow_types: allow,
    deny_types: deny,
  } = config.content_scanner
  if (engine === 'off') return undefined
  const onScan = deps.nodeMetrics?.countScans()
  const scanner = createScanner({
    ...deps,
    ...(onScan && { onScan }),
    engine: await engineOf(config, deps.random),
    options: { maxBytes, timeoutMs, maxConcurrent },
  })
  const lower = (list: readonly string[]): string[] => list.map((type) => type.toLowerCase())
  const types: TypePolicy = {
    allow: allow === null ? undefined : lower(allow),
    deny: lower(deny),
  }
  let decryption: (PkDecryption & { readonly of: string }) | undefined
  return {
    scanner,
    types,
    audit: deps.audit,
    gate: createMediaGate({
      scanner,
      types,
      audit: deps.audit,
      mode,
      isMember: (name) => nodeList?.member(name) !== undefined,
    }),
    decryption() {
      // Another signing key makes another key here: clients ask for it again when theirs does not work.
      if (decryption?.of !== signer.publicKey)
        decryption = { ...createPkDecryption(scannerKey(signer)), of: signer.publicKey }
      return decryption
    },
  }
}

/**
 * The key to which clients encrypt, which must outlive a restart and be the same in all processes of a node, without a secret more to keep: it comes
 * from a signature that only this node can make. Nothing that is ever signed for others looks like this text.
 */
const scannerKey = (signer: Signer): Uint8Array =>
  createHash('sha256')
    .update(signer.sign(Buffer.from('org.chancery.content_scanner.key.v1')))
    .digest()

async function engineOf(config: Config, random: Random): Promise<ScanEngine> {
  const { engine, clamd, command } = config.content_scanner
  if (engine === 'clamd') return clamdEngine(createClamd(clamdAddress(clamd.socket)))
  const folder = join(config.media.path, 'scanning')
  // What a crash left behind may be something that was decrypted.
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return commandEngine({
    run: runCommand,
    random,
    options: {
      path: command.program!,
      args: command.args,
      infectedCodes: command.infected_codes,
      version: command.version,
      folder,
    },
  })
}

function clamdAddress(socket: string): ClamdAddress {
  const colon = socket.lastIndexOf(':')
  if (socket.startsWith('/') || colon === -1) return { path: socket }
  return { host: socket.slice(0, colon), port: Number(socket.slice(colon + 1)) }
}
