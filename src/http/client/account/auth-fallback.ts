import { Type } from 'typebox'
import { readBody } from '../../body.js'
import { route, v3 } from '../../route.js'
import { donePage, overPage, stagePage } from './fallback-page.js'

const PATHS = v3('/auth/{authType}/fallback/web')
/** The password of an account is asked for by clients alone, not by a page that anybody can link to. */
const STAGES: ReadonlySet<string> = new Set(['m.login.dummy', 'm.login.registration_token'])
const MAX_FORM = 16 * 1024

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#fallback */
export const getAuthFallback = route({
  id: 'getAuthFallback',
  method: 'GET',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ session: Type.Optional(Type.String()) }),
  async handler({ params, query }, { accounts }) {
    const stage = params['authType']!
    const session = query.session ?? ''
    if (!STAGES.has(stage) || !(await accounts.uia.fallback.offers(session, stage))) return overPage()
    return stagePage(stage, session)
  },
})

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#fallback */
export const postAuthFallback = route({
  id: 'postAuthFallback',
  method: 'POST',
  paths: PATHS,
  auth: 'none',
  rateLimit: 'registration',
  body: 'stream',
  async handler({ params, request }, { accounts }) {
    const stage = params['authType']!
    const bytes = await readBody(request.stream, request.headers['content-length'], MAX_FORM)
    const form = new URLSearchParams(Buffer.from(bytes).toString('utf8'))
    const session = form.get('session') ?? ''
    const { fallback } = accounts.uia
    if (!STAGES.has(stage) || !(await fallback.offers(session, stage))) return overPage()
    const token = form.get('token')
    const fields = token === null ? {} : { token }
    const fault = await fallback.attempt(session, stage, fields, request.ip)
    return fault === undefined ? donePage() : stagePage(stage, session, fault)
  },
})
