import { Readable } from 'node:stream'
import { MatrixError } from '../../../../core/errors.js'
import { parseJson } from '../../../../core/json/parse.js'
import type { JsonObject } from '../../../../core/json/value.js'
import {
  bodyText,
  FederationError,
  type FederationClient,
  type FederationRequest,
} from '../../../federation/client.js'
import type { Seeded } from './seeded.js'
import type { VirtualTime } from './virtual-time.js'

/** What may befall requests; probabilities, and milliseconds. */
export interface Weather {
  /** Longest way in one direction, most of the time. */
  readonly usualMs: number
  /** How often a message takes up to `slowMs` instead, so that others overtake it. */
  readonly slow: number
  readonly slowMs: number
  /** Never arrives. */
  readonly lost: number
  /** Is carried out, and its sender never learns of it. */
  readonly answerLost: number
  /** Arrives a second time, later. */
  readonly twice: number
  /** The other server is in trouble: 500. */
  readonly trouble: number
  /** Endpoints that nobody answers. */
  readonly deaf: readonly string[]
}

export const FAIR: Weather = {
  usualMs: 20,
  slow: 0,
  slowMs: 0,
  lost: 0,
  answerLost: 0,
  twice: 0,
  trouble: 0,
  deaf: [],
}

/** Serves another server's request; the text of the answer. Throws `MatrixError`. */
export type Serve = (origin: string, request: FederationRequest) => Promise<string>

/** Carries requests between nodes that know each other by name. */
export interface Transport {
  weather: Weather
  /** The process that answers for a name now; undefined while it is down. */
  readonly servers: Map<string, Serve>
  /** Nothing passes between these, in either direction: `a b`, in alphabetical order. */
  readonly cut: Set<string>
  /** Endpoints that a server never answers, by its name. */
  readonly silent: Map<string, ReadonlySet<string>>
  /** What a server makes of its answers, by its name. */
  readonly liars: Map<string, (endpoint: string, answer: string) => string>
  /** Told of each request that was carried out, before its answer goes on its way. */
  onServed: (request: FederationRequest) => void
  /** How often something happened, for floors. */
  readonly counts: Map<string, number>
  /** `isAlive`: nothing is sent for a process that has ended, and no answer reaches it. */
  clientOf(
    name: string,
    isAlive: () => boolean,
  ): Pick<FederationClient, 'request' | 'requestStream'> & {
    ask(request: FederationRequest): Promise<string>
  }
}

export const link = (a: string, b: string): string => [a, b].toSorted().join(' ')

const STATUS: Readonly<Record<string, number>> = { M_FORBIDDEN: 403, M_NOT_FOUND: 404, M_LIMIT_EXCEEDED: 429 }
/** A connection that is refused is known at once; one into the void takes this long, in milliseconds. */
const VOID_MS = 3_000

export function createTransport(time: VirtualTime, chance: Seeded): Transport {
  const transport: Transport = {
    weather: FAIR,
    servers: new Map(),
    cut: new Set(),
    silent: new Map(),
    liars: new Map(),
    onServed: () => undefined,
    counts: new Map(),
    clientOf,
  }
  const count = (what: string): void => void transport.counts.set(what, (transport.counts.get(what) ?? 0) + 1)
  const way = (): number => {
    const { usualMs, slow, slowMs } = transport.weather
    return chance.chance(slow) ? chance.int(usualMs, slowMs) : chance.int(1, usualMs)
  }

  function clientOf(from: string, isAlive: () => boolean): ReturnType<Transport['clientOf']> {
    /** Carries a request there, and gives the answer as it is there. */
    async function serve(request: FederationRequest, body: string | undefined): Promise<string> {
      const target = transport.servers.get(request.destination)
      if (target === undefined) throw new FederationError('unreachable', 'nobody listens there')
      // As it travels: nothing is shared between the two.
      const parsed = body === undefined ? undefined : parseJson(body)
      const carried = parsed?.ok === true ? { ...request, body: parsed.value as JsonObject } : request
      count(request.path.split('/')[4]!)
      try {
        const answer = await target(from, carried)
        transport.onServed(carried)
        const endpoint = request.path.split('/')[4]!
        return transport.liars.get(request.destination)?.(endpoint, answer) ?? answer
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error
        const status = error.status ?? STATUS[error.errcode] ?? 400
        throw new FederationError('status', error.message, { status, errcode: error.errcode })
      }
    }

    function ask(request: FederationRequest): Promise<string> {
      const body = bodyText(request)
      const { weather } = transport
      const isCut = (): boolean => transport.cut.has(link(from, request.destination))
      return new Promise<string>((resolve, reject) => {
        const timer = time.after(request.timeoutMs ?? 30_000, () =>
          end(() => reject(new FederationError('timeout', 'the server did not answer in time'))),
        )
        const stop = (): void => end(() => reject(request.signal!.reason as Error))
        let ended = false
        function end(tell: () => void): void {
          if (ended) return
          ended = true
          timer()
          request.signal?.removeEventListener('abort', stop)
          if (isAlive()) tell()
        }
        const unreachable = (): void =>
          end(() => reject(new FederationError('unreachable', 'no connection to the server')))
        if (request.signal?.aborted === true) return stop()
        request.signal?.addEventListener('abort', stop, { once: true })
        if (!isAlive()) return
        const endpoint = request.path.split('/')[4]!
        // A state that is taken over without what lacks a key is another test's: keys come whatever the weather.
        const isKeys = endpoint === 'server' || endpoint === 'query'
        if (isCut() || (!isKeys && chance.chance(weather.lost))) {
          count('lost requests')
          time.after(chance.int(1, VOID_MS), unreachable)
          return
        }
        const silent = transport.silent.get(request.destination)?.has(endpoint) === true
        const deaf = silent || weather.deaf.includes(endpoint)
        if (deaf || (!isKeys && chance.chance(weather.trouble))) {
          count('refused requests')
          time.after(2 * way(), () =>
            end(() => reject(new FederationError('status', 'trouble', { status: 500 }))),
          )
          return
        }
        const answerLost = !isKeys && chance.chance(weather.answerLost)
        if (chance.chance(weather.twice)) {
          time.after(way() + way(), () => {
            count('requests that came twice')
            serve(request, body).catch(() => undefined)
          })
        }
        time.after(way(), () => {
          if (isCut()) return void time.after(VOID_MS, unreachable)
          const tell = (what: () => void): void => {
            const back = way()
            time.after(back, () => {
              // Without an answer the time runs out.
              if (answerLost || isCut()) count('lost answers')
              else end(what)
            })
          }
          serve(request, body).then(
            (answer) => tell(() => resolve(answer)),
            (error: unknown) => tell(() => reject(error as Error)),
          )
        })
      })
    }

    return {
      ask,
      async request(request) {
        const parsed = parseJson(await ask(request))
        if (!parsed.ok) throw new FederationError('bad-response', parsed.reason)
        return parsed.value as JsonObject
      },
      async requestStream(request) {
        return { status: 200, headers: new Map(), body: Readable.from([Buffer.from(await ask(request))]) }
      },
    }
  }
  return transport
}
