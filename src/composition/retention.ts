import type { Config } from '../config/schema.js'
import { signJson, type Signer } from '../core/event/sign.js'
import type { Lifetimes, RetentionPolicy } from '../core/retention.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { Media } from '../services/media/media.js'
import type { Transport } from '../services/federation/transport.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import { createLegalHolds, type LegalHolds } from '../services/retention/legal-holds.js'
import { createRetention, type Retention } from '../services/retention/retention.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Store } from '../storage/tx.js'

const bounds = (least: number, most: number | null, usual: number | null): Lifetimes => ({
  least,
  most: most ?? undefined,
  usual: usual ?? undefined,
})

/** How long what is said lives, as the configuration says; undefined where it is kept for ever. */
function policyOf({ retention }: Config): RetentionPolicy | undefined {
  if (!retention.enabled) return undefined
  const { public_rooms, private_rooms, direct_rooms } = retention
  return {
    setAtCreation: retention.set_at_creation,
    lifetimes: {
      public: bounds(public_rooms.least, public_rooms.most, public_rooms.usual),
      private: bounds(private_rooms.least, private_rooms.most, private_rooms.usual),
      direct: bounds(direct_rooms.least, direct_rooms.most, direct_rooms.usual),
    },
  }
}

export interface RetentionParts {
  /** For `buildRooms`. */
  readonly ofRooms: { readonly retention: RetentionPolicy | undefined; readonly isHeld: LegalHolds['isHeld'] }
  /** The purge, once there are rooms. */
  build(context: RoomsContext, media: Media): Retention
}

/** What is kept and what is not. Resolves when it is known what is held. */
export async function buildRetention(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly eventSigner: Signer
  readonly transport: Transport
  readonly nodeList: NodeListService | undefined
}): Promise<RetentionParts> {
  const { config, eventSigner, transport, nodeList } = deps
  const holds = createLegalHolds(deps)
  await holds.load()
  return {
    ofRooms: { retention: policyOf(config), isHeld: holds.isHeld },
    build: (context, media) =>
      createRetention({
        ...deps,
        context,
        media,
        holds,
        sign: (object) => signJson(object, eventSigner),
        client: transport.client,
        keys: transport.keys,
        isMember: (name) => nodeList?.member(name) !== undefined,
        mediaMs: config.retention.media ?? undefined,
      }),
  }
}
