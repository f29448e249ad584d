import { parseJson } from '../../core/json/parse.js'
import type { Json } from '../../core/json/value.js'
import { FederationError } from './federation-error.js'
import type { OutboundHttp } from './outbound-http.js'

const LIMITS = { timeoutMs: 10_000, maxBytes: 64 * 1024 }

/** The JSON of a small answer from somewhere in the web. Throws FederationError for everything but a 2xx with JSON. */
export async function fetchJson(http: Pick<OutboundHttp, 'request'>, url: string): Promise<Json> {
  const answer = await http.request({ url, ...LIMITS })
  if (answer.status < 200 || answer.status > 299)
    throw new FederationError('bad-response', `the answer is ${answer.status}`)
  const parsed = parseJson(answer.body)
  if (!parsed.ok) throw new FederationError('bad-response', `the answer is not JSON: ${parsed.reason}`)
  return parsed.value
}
