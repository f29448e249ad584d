import { Type } from 'typebox'
import { route, type Route } from '../route.js'
import { accountMoveRoutes } from './account-move-routes.js'
import { retentionRoutes } from './retention-routes.js'
import { Short } from '../validate.js'

/**
 * What the command line asks of a running node, over a socket of the file system that only the node's own user can open:
 * who reaches these routes could read the database and the signing key as well. Never on a listener of the network.
 */
const post = (action: string) =>
  ({ method: 'POST', paths: [`/operator/${action}`], auth: 'none', maxBody: 64 * 1024 }) as const

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Positive = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

const register = route({
  ...post('register'),
  id: 'operatorRegister',
  body: Type.Object({
    localpart: Short,
    password: Type.String(),
    admin: Type.Boolean(),
    displayName: Type.Optional(Short),
  }),
  handler: async ({ body }, { commandLine: operator }) => ({
    user_id: await operator.register({
      localpart: body.localpart,
      password: body.password,
      admin: body.admin,
      ...(body.displayName === undefined ? {} : { displayName: body.displayName }),
    }),
  }),
})

const resetPassword = route({
  ...post('reset-password'),
  id: 'operatorResetPassword',
  body: Type.Object({
    user: Short,
    password: Type.String(),
    logoutDevices: Type.Optional(Type.Boolean()),
  }),
  handler: async ({ body }, { commandLine: operator }) => ({
    user_id: await operator.resetPassword(body.user, body.password, body.logoutDevices),
  }),
})

const setAdmin = route({
  ...post('set-admin'),
  id: 'operatorSetAdmin',
  body: Type.Object({ user: Short, admin: Type.Boolean() }),
  handler: async ({ body }, { commandLine: operator }) => ({
    user_id: await operator.setAdmin(body.user, body.admin),
  }),
})

const deactivate = route({
  ...post('deactivate'),
  id: 'operatorDeactivate',
  body: Type.Object({ user: Short, erase: Type.Boolean() }),
  handler: async ({ body }, { commandLine: operator }) => ({
    user_id: await operator.deactivate(body.user, body.erase),
  }),
})

const notify = route({
  ...post('notice'),
  id: 'operatorNotify',
  body: Type.Object({ user: Short, text: Type.String({ maxLength: 32_000 }) }),
  handler: async ({ body }, { commandLine: operator }) => ({
    user_id: await operator.notify(body.user, body.text),
  }),
})

const rotateKey = route({
  ...post('rotate-key'),
  id: 'operatorRotateKey',
  body: Type.Object({ keyFile: Type.Optional(Type.String({ maxLength: 10_000 })) }),
  handler: async ({ body }, { commandLine: operator }) => {
    const { keyId, publicKey, retired } = await operator.rotateKey(body.keyFile)
    return { keyId, publicKey, retired }
  },
})

const createToken = route({
  ...post('registration-tokens/create'),
  id: 'operatorCreateToken',
  body: Type.Object({
    token: Type.Optional(Short),
    usesAllowed: Type.Optional(Positive),
    expiresTs: Type.Optional(Positive),
  }),
  handler: async ({ body }, { commandLine: operator }) => ({
    token: await operator.createToken({
      ...(body.token === undefined ? {} : { token: body.token }),
      ...(body.usesAllowed === undefined ? {} : { usesAllowed: body.usesAllowed }),
      ...(body.expiresTs === undefined ? {} : { expiresTs: body.expiresTs }),
    }),
  }),
})

const listTokens = route({
  ...post('registration-tokens/list'),
  id: 'operatorListTokens',
  handler: async (_call, { commandLine: operator }) => ({ tokens: await operator.listTokens() }),
})

const revokeToken = route({
  ...post('registration-tokens/revoke'),
  id: 'operatorRevokeToken',
  body: Type.Object({ token: Short }),
  async handler({ body }, { commandLine: operator }) {
    await operator.revokeToken(body.token)
    return {}
  },
})

const listReports = route({
  ...post('reports/list'),
  id: 'operatorListReports',
  body: Type.Object({ limit: Positive, before: Type.Optional(Positive) }),
  handler: async ({ body }, { commandLine: operator }) => ({
    reports: await operator.listReports({
      limit: body.limit,
      ...(body.before === undefined ? {} : { before: body.before }),
    }),
  }),
})

const deleteReport = route({
  ...post('reports/delete'),
  id: 'operatorDeleteReport',
  body: Type.Object({ id: Positive }),
  async handler({ body }, { commandLine: operator }) {
    await operator.deleteReport(body.id)
    return {}
  },
})

const compareState = route({
  ...post('rooms/compare-state'),
  id: 'operatorCompareState',
  body: Type.Object({ room: Short, server: Short }),
  handler: async ({ body }, { commandLine: operator }) => ({
    ...(await operator.compareState(body.room, body.server)),
  }),
})

const healRoom = route({
  ...post('rooms/heal'),
  id: 'operatorHealRoom',
  body: Type.Object({ room: Short }),
  handler: async ({ body }, { commandLine: operator }) => ({ ...(await operator.healRoom(body.room)) }),
})

const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))))
const Words = Type.Optional(Type.String({ maxLength: 4_096 }))

const workOnCase = route({
  ...post('cases'),
  id: 'operatorCases',
  body: Type.Union([
    Type.Object({ do: Type.Literal('list'), overdue: Type.Boolean(), limit: Positive }),
    Type.Object({ do: Type.Literal('show'), id: Positive }),
    Type.Object({ do: Type.Literal('assign'), id: Positive, assignee: Type.Union([Short, Type.Null()]) }),
    Type.Object({
      do: Type.Literal('close'),
      id: Positive,
      resolution: oneOf(['upheld', 'rejected']),
      comment: Words,
    }),
    Type.Object({
      do: Type.Literal('act'),
      id: Positive,
      action: oneOf(['redact', 'lock', 'suspend', 'quarantine_media', 'shut_down_room']),
      reason: Words,
    }),
  ]),
  handler: ({ body }, { commandLine: operator }) => operator.workOnCase(body),
})

const secondFactor = route({
  ...post('second-factor'),
  id: 'operatorSecondFactor',
  body: Type.Union([
    Type.Object({ do: Type.Literal('list') }),
    Type.Object({ do: Type.Literal('enrol'), user: Short, replace: Type.Boolean() }),
    Type.Object({ do: oneOf(['remove', 'unlock']), user: Short }),
  ]),
  handler: ({ body }, { commandLine: operator }) => operator.secondFactor(body),
})

const accountExpiry = route({
  ...post('account-validity/show'),
  id: 'operatorAccountExpiry',
  body: Type.Object({ user: Short }),
  handler: async ({ body }, { commandLine: operator }) => ({ ...(await operator.accountExpiry(body.user)) }),
})

const extendAccount = route({
  ...post('account-validity/extend'),
  id: 'operatorExtendAccount',
  body: Type.Object({ user: Short, expiresTs: Type.Optional(Count) }),
  handler: async ({ body }, { commandLine: operator }) => ({
    ...(await operator.extendAccount(body.user, body.expiresTs)),
  }),
})

const auditLog = route({
  ...post('audit/entries'),
  id: 'operatorAuditLog',
  body: Type.Object({ after: Count, limit: Positive }),
  handler: async ({ body }, { commandLine: operator }) => ({ ...(await operator.auditLog(body)) }),
})

const auditShown = route({
  ...post('audit/shown'),
  id: 'operatorAuditShown',
  body: Type.Object({ how: Short, from: Count }),
  async handler({ body }, { commandLine: operator }) {
    await operator.auditShown(body)
    return {}
  },
})

const auditDeposit = route({
  ...post('audit/deposit'),
  id: 'operatorAuditDeposit',
  body: Type.Object({ server: Short }),
  async handler({ body }, { commandLine: operator }) {
    const head = await operator.auditDeposit(body.server)
    return head === undefined ? {} : { head }
  },
})

const forgetAuditDeposit = route({
  ...post('audit/forget'),
  id: 'operatorForgetAuditDeposit',
  body: Type.Object({ server: Short }),
  async handler({ body }, { commandLine: operator }) {
    await operator.forgetAuditDeposit(body.server)
    return {}
  },
})

export const operatorRoutes: readonly Route[] = [
  ...retentionRoutes,
  ...accountMoveRoutes,
  register,
  resetPassword,
  setAdmin,
  deactivate,
  notify,
  rotateKey,
  createToken,
  listTokens,
  revokeToken,
  listReports,
  deleteReport,
  compareState,
  healRoom,
  workOnCase,
  secondFactor,
  accountExpiry,
  extendAccount,
  auditLog,
  auditShown,
  auditDeposit,
  forgetAuditDeposit,
]
