import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import type { Services } from '../../../services/services.js'
import { readForm } from '../form.js'
import { route, v3, type Reply } from '../../route.js'
import { donePage, mailSentPage, overPage, stagePage } from './fallback-page.js'

const PATHS = v3('/auth/{authType}/fallback/web')
const EMAIL = 'm.login.email.identity'
/** The password of an account is asked for by clients alone, not by a page that anybody can link to. */
const STAGES: ReadonlySet<string> = new Set(['m.login.dummy', 'm.login.registration_token', EMAIL])

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
    if (!STAGES.has(stage) || (await accounts.uia.fallback.offers(session, stage)) === undefined)
      return overPage()
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
  async handler({ params, request }, services) {
    const stage = params['authType']!
    const form = await readForm(request)
    const session = form.get('session') ?? ''
    const { fallback } = services.accounts.uia
    const operation = STAGES.has(stage) ? await fallback.offers(session, stage) : undefined
    if (operation === undefined) return overPage()
    const email = form.get('email')
    if (stage === EMAIL && email !== null) return await sendMail(services, operation, session, email)

    const [token, sid] = [form.get('token'), form.get('sid')]
    const fields = {
      ...(token === null ? {} : { token }),
      // The session is this page's secret: only its client knows it.
      ...(sid === null ? {} : { threepid_creds: { sid, client_secret: session } }),
    }
    const fault = await fallback.attempt(session, stage, fields, request.ip)
    if (fault === undefined) return donePage()
    return stage === EMAIL && sid !== null
      ? mailSentPage(session, sid, fault)
      : stagePage(stage, session, fault)
  },
})

async function sendMail(
  { accounts, threepids }: Services,
  operation: string,
  session: string,
  email: string,
): Promise<Reply> {
  const wish = { email, clientSecret: session, sendAttempt: 1, nextLink: undefined }
  try {
    const { sid } =
      operation === 'register'
        ? await accounts.registration.requestEmail(wish)
        : await threepids.requestEmail('reset', wish)
    return mailSentPage(session, sid)
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
    return stagePage(EMAIL, session, error.message)
  }
}
