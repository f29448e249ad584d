import { readBody } from '../body.js'
import type { Auth, Call } from '../route.js'

const MAX_FORM = 16 * 1024

/** What a person has filled in on one of our pages. Throws M_TOO_LARGE. */
export async function readForm(
  request: Pick<Call<Auth, unknown, unknown>['request'], 'stream' | 'headers'>,
): Promise<URLSearchParams> {
  const bytes = await readBody(request.stream, request.headers['content-length'], MAX_FORM)
  return new URLSearchParams(Buffer.from(bytes).toString('utf8'))
}
