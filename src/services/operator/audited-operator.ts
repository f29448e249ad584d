import { OPERATOR } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Operator } from './operator.js'

/** On whom or what a command acts, for the audit log. */
type Target = { readonly on?: string | undefined; readonly room?: string }

/**
 * The operations of an operator, each told to the audit log: what changes something before it begins and again when it is over, so that
 * none is without a trace even where the node is killed meanwhile; what only reads, when it is over.
 */
export function auditedOperator(operator: Operator, audit: AuditTrail): Operator {
  async function over<T>(operation: string, target: Target, work: () => Promise<T>): Promise<T> {
    const told = { act: 'operator.called', by: OPERATOR, ...target, details: { operation } } as const
    let result: T
    try {
      result = await work()
    } catch (error) {
      await audit.note({ ...told, outcome: error instanceof MatrixError ? error.errcode : 'failed' })
      throw error
    }
    await audit.note(told)
    return result
  }

  async function act<T>(operation: string, target: Target, work: () => Promise<T>): Promise<T> {
    await audit.note({
      act: 'operator.called',
      by: OPERATOR,
      ...target,
      outcome: 'begun',
      details: { operation },
    })
    return await over(operation, target, work)
  }

  return {
    register: (account) => act('register', { on: account.localpart }, () => operator.register(account)),
    resetPassword: (user, ...rest) =>
      act('resetPassword', { on: user }, () => operator.resetPassword(user, ...rest)),
    setAdmin: (user, ...rest) => act('setAdmin', { on: user }, () => operator.setAdmin(user, ...rest)),
    deactivate: (user, ...rest) => act('deactivate', { on: user }, () => operator.deactivate(user, ...rest)),
    rotateKey: (keyFile) => act('rotateKey', {}, () => operator.rotateKey(keyFile)),
    notify: (user, text) => act('notify', { on: user }, () => operator.notify(user, text)),
    createToken: (wish) => act('createToken', {}, () => operator.createToken(wish)),
    listTokens: () => over('listTokens', {}, () => operator.listTokens()),
    revokeToken: (token) => act('revokeToken', {}, () => operator.revokeToken(token)),
    listReports: (page) => over('listReports', {}, () => operator.listReports(page)),
    deleteReport: (id) => act('deleteReport', { on: String(id) }, () => operator.deleteReport(id)),
    compareState: (room, server) =>
      over('compareState', { on: server, room }, () => operator.compareState(room, server)),
    workOnCase: (request) =>
      over(`cases ${request.do}`, { on: 'id' in request ? String(request.id) : undefined }, () =>
        operator.workOnCase(request),
      ),
    accountExpiry: (user) => over('accountExpiry', { on: user }, () => operator.accountExpiry(user)),
    extendAccount: (user, ...rest) =>
      act('extendAccount', { on: user }, () => operator.extendAccount(user, ...rest)),
    // What it changes is told by its own acts, in their transactions.
    secondFactor: (request) => operator.secondFactor(request),
    // Pages of the log and questions to other servers leave no trace of their own: `auditShown` does.
    auditLog: (page) => operator.auditLog(page),
    auditShown: (what) => operator.auditShown(what),
    auditDeposit: (server) => operator.auditDeposit(server),
    forgetAuditDeposit: (server) =>
      act('forgetAuditDeposit', { on: server }, () => operator.forgetAuditDeposit(server)),
    healRoom: (room) => act('healRoom', { room }, () => operator.healRoom(room)),
  }
}
