import type { JsonObject } from '../../../core/json/value.js'
import type { Requester } from '../../requester.js'
import type { Services } from '../../services.js'
import { slidingRequest, type SlidingBody } from './request.js'

export interface SlidingEvent {
  readonly event_id: string
  readonly type: string
  readonly state_key?: string
  readonly sender: string
  readonly content?: Readonly<Record<string, unknown>>
}

export interface SlidingRoom {
  readonly initial?: boolean
  readonly membership?: string
  readonly lists?: readonly string[]
  readonly name?: string | null
  readonly avatar?: string | null
  readonly is_dm?: boolean
  readonly heroes?: readonly { readonly user_id: string; readonly displayname?: string }[]
  readonly joined_count?: number
  readonly invited_count?: number
  readonly bump_stamp?: number
  readonly required_state?: readonly SlidingEvent[]
  readonly timeline?: readonly SlidingEvent[]
  readonly prev_batch?: string
  readonly limited?: boolean
  readonly num_live?: number
  readonly expanded_timeline?: boolean
  readonly unstable_expanded_timeline?: boolean
  readonly invite_state?: readonly SlidingEvent[]
  readonly notification_count?: number
  readonly highlight_count?: number
}

interface DataEvent {
  readonly type: string
  readonly content: Readonly<Record<string, unknown>>
}

export interface SlidingAnswer {
  readonly pos: string
  readonly lists: Readonly<Record<string, { readonly count: number }>>
  readonly rooms: Readonly<Record<string, SlidingRoom>>
  readonly extensions: {
    readonly to_device?: { readonly next_batch: string; readonly events: readonly DataEvent[] }
    readonly e2ee?: {
      readonly device_lists: { readonly changed: readonly string[]; readonly left: readonly string[] }
      readonly device_one_time_keys_count: Readonly<Record<string, number>>
      readonly device_unused_fallback_key_types: readonly string[]
    }
    readonly account_data?: {
      readonly global: readonly DataEvent[]
      readonly rooms: Readonly<Record<string, readonly DataEvent[]>>
    }
    readonly receipts?: { readonly rooms: Readonly<Record<string, DataEvent>> }
    readonly typing?: { readonly rooms: Readonly<Record<string, DataEvent>> }
    readonly 'org.matrix.msc4262.profiles'?: {
      readonly users: Readonly<
        Record<
          string,
          {
            readonly updated?: Readonly<Record<string, unknown>>
            readonly removed?: readonly string[]
          } | null
        >
      >
    }
  }
}

export interface SlidingPoll {
  readonly pos?: string | undefined
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** One request of sliding sync, past HTTP. */
export async function slide(
  services: Services,
  requester: Requester,
  body: SlidingBody,
  { pos, timeoutMs = 0, signal = new AbortController().signal }: SlidingPoll = {},
): Promise<SlidingAnswer> {
  const request = slidingRequest(body, { pos, timeout: timeoutMs }, requester.userId)
  const answer: JsonObject = await services.slidingSync.sync(requester, request, { signal })
  return answer as unknown as SlidingAnswer
}
