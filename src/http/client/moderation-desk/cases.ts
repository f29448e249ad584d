import { Type } from 'typebox'
import { invalidParam } from '../../../core/errors.js'
import { CASE_ACTIONS } from '../../../services/moderation-desk/case-acts.js'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

const CASES = '/_chancery/moderation/v1/cases'
const CASE = `${CASES}/{caseId}`
const MAX_REASON = 4_096

function caseIdOf(params: Readonly<Record<string, string>>): number {
  const text = params['caseId']!
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw invalidParam('That is no number of a case')
  return Number(text)
}

const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))))

const Reason = Type.String({ maxLength: MAX_REASON })

/** NOTSPEC: what users have reported, for moderators; what is due first comes first. */
export const listCases = route({
  id: 'listModerationCases',
  method: 'GET',
  paths: [CASES],
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    state: Type.Optional(oneOf(['open', 'assigned', 'closed'])),
    assignee: Type.Optional(Short),
    overdue: Type.Optional(Type.Boolean()),
    from: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  }),
  handler({ requester, query: { from = 0, limit = 50, ...filter } }, { moderationDesk }) {
    moderationDesk.worker(requester)
    return moderationDesk.list({ ...filter, from, limit })
  },
})

/** NOTSPEC: one case, with the event as the reporter saw it. */
export const getCase = route({
  id: 'getModerationCase',
  method: 'GET',
  paths: [CASE],
  auth: 'user',
  rateLimit: 'read',
  handler({ requester, params }, { moderationDesk }) {
    moderationDesk.worker(requester)
    return moderationDesk.details(caseIdOf(params))
  },
})

/** NOTSPEC: who cares for a case; `null`: nobody. */
export const assignCase = route({
  id: 'assignModerationCase',
  method: 'POST',
  paths: [`${CASE}/assign`],
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ assignee: Type.Union([Short, Type.Null()]) }),
  handler({ requester, params, body }, { moderationDesk }) {
    const by = moderationDesk.worker(requester)
    return moderationDesk.assign(caseIdOf(params), body.assignee, by)
  },
})

/** NOTSPEC: a case is done with. */
export const closeCase = route({
  id: 'closeModerationCase',
  method: 'POST',
  paths: [`${CASE}/close`],
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ resolution: oneOf(['upheld', 'rejected']), comment: Type.Optional(Reason) }),
  handler({ requester, params, body: { resolution, comment } }, { moderationDesk }) {
    const by = moderationDesk.worker(requester)
    return moderationDesk.close(caseIdOf(params), { resolution, comment }, by)
  },
})

/** NOTSPEC: something is done about what was reported. */
export const actOnCase = route({
  id: 'actOnModerationCase',
  method: 'POST',
  paths: [`${CASE}/act`],
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({
    action: oneOf(CASE_ACTIONS),
    reason: Type.Optional(Reason),
    message: Type.Optional(Reason),
  }),
  handler({ requester, params, body: { action, reason, message } }, { moderationDesk }) {
    const by = moderationDesk.worker(requester)
    return moderationDesk.act(caseIdOf(params), { action, reason, message }, by)
  },
})
