import { request } from 'node:http'
import type { DepositedHead } from '../core/audit/signed-head.js'
import type { JsonObject } from '../core/json/value.js'
import type { Rotation } from '../services/federation/own-keys.js'
import type {
  AccountExpiry,
  AuditPage,
  Operator,
  ReportInfo,
  TokenInfo,
} from '../services/operator/operator.js'
import type { RoomComparison, RoomHealing } from '../services/replication/receiving/room-comparison.js'
import { CliError } from './command.js'

const TIMEOUT_MS = 60_000
const HEAL_TIMEOUT_MS = 5 * 60_000
const MAX_ANSWER = 16 * 2 ** 20

/** Nobody listens on the socket: no node runs here, or not as this user. */
export class NoNode extends Error {}

/** POSTs to the socket of a running node. Throws NoNode, and CliError with what the node says. */
export function call(
  socketPath: string,
  action: string,
  body: object = {},
  timeout = TIMEOUT_MS,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }
    const sent = request(
      // A connection of its own: one that is kept may be to a node that has ended since.
      { socketPath, path: `/operator/${action}`, method: 'POST', headers, timeout, agent: false },
      (answer) => {
        let read = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          read += chunk
          if (read.length > MAX_ANSWER) answer.destroy(new CliError('the node answers without end'))
        })
        answer.once('error', reject)
        answer.once('end', () => {
          try {
            const json = JSON.parse(read) as Record<string, unknown>
            if (answer.statusCode === 200) resolve(json)
            else {
              const { error } = json
              const why = typeof error === 'string' ? error : `the node answered ${answer.statusCode}`
              reject(new CliError(why))
            }
          } catch {
            reject(new CliError(`the node answered ${answer.statusCode}, and no JSON`))
          }
        })
      },
    )
    sent.once('timeout', () => sent.destroy(new CliError('the node does not answer; its log may say why')))
    sent.once('error', (error: NodeJS.ErrnoException) => {
      const absent = ['ENOENT', 'ECONNREFUSED', 'ENAMETOOLONG', 'EINVAL'].includes(error.code ?? '')
      if (absent) reject(new NoNode(error.message))
      else if (error.code === 'EACCES')
        reject(
          new CliError(`${socketPath} belongs to another user: run this command as the user of the node`),
        )
      else reject(error)
    })
    sent.end(text)
  })
}

/** Operations of a node that runs on this machine; its caches know at once. Every function may throw NoNode. */
export function nodeOperator(socketPath: string): Operator {
  const userOf = async (action: string, body: object): Promise<string> =>
    String((await call(socketPath, action, body))['user_id'])
  return {
    register: (account) => userOf('register', account),
    resetPassword: (user, password, logoutDevices) =>
      userOf('reset-password', { user, password, ...(logoutDevices === undefined ? {} : { logoutDevices }) }),
    setAdmin: (user, admin) => userOf('set-admin', { user, admin }),
    deactivate: (user, erase) => userOf('deactivate', { user, erase }),
    notify: (user, text) => userOf('notice', { user, text }),
    rotateKey: async (keyFile) =>
      (await call(socketPath, 'rotate-key', keyFile === undefined ? {} : { keyFile })) as unknown as Rotation,
    createToken: async (wish) =>
      String((await call(socketPath, 'registration-tokens/create', wish))['token']),
    listTokens: async () =>
      (await call(socketPath, 'registration-tokens/list'))['tokens'] as readonly TokenInfo[],
    listReports: async (page) =>
      (await call(socketPath, 'reports/list', page))['reports'] as readonly ReportInfo[],
    compareState: async (room, server) =>
      (await call(socketPath, 'rooms/compare-state', { room, server })) as unknown as RoomComparison,
    // Each of several servers may take its time.
    healRoom: async (room) =>
      (await call(socketPath, 'rooms/heal', { room }, HEAL_TIMEOUT_MS)) as unknown as RoomHealing,
    workOnCase: async (request) => (await call(socketPath, 'cases', request)) as JsonObject,
    secondFactor: async (request) => (await call(socketPath, 'second-factor', request)) as JsonObject,
    accountExpiry: async (user) =>
      (await call(socketPath, 'account-validity/show', { user })) as unknown as AccountExpiry,
    extendAccount: async (user, expiresTs) =>
      (await call(socketPath, 'account-validity/extend', {
        user,
        ...(expiresTs === undefined ? {} : { expiresTs }),
      })) as unknown as AccountExpiry,
    auditLog: async (page) => (await call(socketPath, 'audit/entries', page)) as unknown as AuditPage,
    auditShown: async (what) => {
      await call(socketPath, 'audit/shown', what)
    },
    auditDeposit: async (server) =>
      (await call(socketPath, 'audit/deposit', { server }))['head'] as DepositedHead | undefined,
    forgetAuditDeposit: async (server) => {
      await call(socketPath, 'audit/forget', { server })
    },
    deleteReport: async (id) => {
      await call(socketPath, 'reports/delete', { id })
    },
    revokeToken: async (token) => {
      await call(socketPath, 'registration-tokens/revoke', { token })
    },
  }
}
