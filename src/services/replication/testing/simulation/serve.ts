import { MatrixError } from '../../../../core/errors.js'
import { canonicalJson } from '../../../../core/json/canonical.js'
import type { JsonObject } from '../../../../core/json/value.js'
import type { Keys } from '../../../federation/keys.js'
import type { NotaryService } from '../../../federation/notary.js'
import type { InviteServing } from '../../serving/serve-invite.js'
import type { MembershipServing } from '../../serving/serve-membership.js'
import type { FederationReads } from '../../serving/serve-reads.js'
import type { Inbound } from '../../receiving/inbound.js'
import type { Serve } from './transport.js'

const json = (value: unknown): string => canonicalJson(value as JsonObject, 'lenient')

async function text(parts: AsyncIterable<string>): Promise<string> {
  let out = ''
  for await (const part of parts) out += part
  return out
}

/** The server-server API as functions: what the endpoints do between a request and its answer. */
export function serveWith(services: {
  readonly keys: Pick<Keys, 'ownDocument'>
  readonly notary: Pick<NotaryService, 'queryMany'>
  readonly inbound: Inbound
  readonly membership: MembershipServing
  readonly invites: InviteServing
  readonly reads: FederationReads
}): Serve {
  const { keys, notary, inbound, membership, invites, reads } = services
  return async (origin, { path, query = {}, body = {} }) => {
    const [, , , , action, ...rest] = path.split('/').map(decodeURIComponent)
    const [first = '', second = ''] = rest
    const sent = { roomId: first, eventId: second, event: body }
    const target = { roomId: first, userId: second }
    switch (action) {
      case 'server':
        return json(keys.ownDocument())
      case 'query':
        return json(await notary.queryMany(body))
      case 'send':
        return json(await inbound.handleTransaction(origin, first, body))
      case 'make_join':
        return json(
          await membership.template(origin, 'join', { ...target, versions: query['ver'] as string[] }),
        )
      case 'make_knock':
        return json(
          await membership.template(origin, 'knock', { ...target, versions: query['ver'] as string[] }),
        )
      case 'make_leave':
        return json(await membership.template(origin, 'leave', target))
      case 'send_join':
        return text(await membership.join(origin, sent))
      case 'send_knock':
        return json(await membership.knock(origin, sent))
      case 'send_leave':
        await membership.leave(origin, sent)
        return '{}'
      case 'invite':
        return json(
          path.includes('/v1/')
            ? [200, await invites.inviteV1(origin, { roomId: first, eventId: second }, body)]
            : await invites.invite(origin, { roomId: first, eventId: second }, body),
        )
      case 'event':
        return json(await reads.event(origin, first))
      case 'event_auth':
        return text(await reads.eventAuth(origin, first, second))
      case 'state':
        return text(await reads.state(origin, first, query['event_id'] as string))
      case 'state_ids':
        return text(await reads.stateIds(origin, first, query['event_id'] as string))
      case 'backfill': {
        const range = { eventIds: query['v'] as string[], limit: Number(query['limit']) }
        return json(await reads.backfill(origin, first, range))
      }
      case 'get_missing_events': {
        const { latest_events: latest, earliest_events: earliest, limit, min_depth: minDepth } = body
        const range = {
          latest: latest as string[],
          earliest: earliest as string[],
          limit: limit as number,
          minDepth: minDepth as number,
        }
        return json(await reads.missingEvents(origin, first, range))
      }
      default:
        throw new MatrixError('M_UNRECOGNIZED', `nobody serves ${action}`, {}, 404)
    }
  }
}
