import type { CommandArguments, CommandName } from '../../core/admin-commands/commands.js'
import type { Act as AuditAct } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { AuditTrail } from '../audit/trail.js'
import { accountActs, type AccountActsDeps } from './account-acts.js'
import { actorOf, type Act, type Commander, type CommandResult } from './act.js'
import { contactActs, type ContactActsDeps } from './contact-acts.js'
import { noticeAct, type NoticeActDeps } from './notice-act.js'
import { roomActs, type RoomActsDeps } from './room-acts.js'
import type { Subjects } from './subjects.js'

/** A command with whom and what it is about found out. */
export interface CommandPlan {
  readonly command: CommandName
  readonly arguments: CommandArguments
  /** What exactly will happen, in words. */
  readonly will: string
}

/**
 * What administrators command: the same acts whichever way they come. That who commands is one, and has confirmed what is dangerous, is checked
 * before. Each is in the audit log before it begins and when it is over, and what it changes in the transaction of the change.
 */
export interface AdminCommands {
  /** Changes nothing. Throws M_NOT_FOUND, M_INVALID_PARAM, M_FORBIDDEN and what else stands against it. */
  plan(by: Commander, command: CommandName, given: CommandArguments): Promise<CommandPlan>
  /** Throws what the act throws; the reason of the signal where the node stops: the command may be carried out again then. */
  carryOut(by: Commander, plan: Pick<CommandPlan, 'command' | 'arguments'>): Promise<CommandResult>
}

export type AdminCommandsDeps = AccountActsDeps &
  ContactActsDeps &
  RoomActsDeps &
  NoticeActDeps & {
    readonly clock: Clock
    readonly logger: Logger
    readonly audit: AuditTrail
    readonly subjects: Subjects
    readonly version: string
  }

export function createAdminCommands(deps: AdminCommandsDeps): AdminCommands {
  const { clock, audit, serverName, version } = deps
  const startedTs = clock.now()

  const ping: Act = {
    plan: (_by, given) => Promise.resolve({ arguments: given, will: 'Answers.' }),
    run: () =>
      Promise.resolve({
        words: `${serverName} is there.`,
        details: {
          server_name: serverName,
          version,
          time: new Date(clock.now()).toISOString(),
          running_since: new Date(startedTs).toISOString(),
        },
      }),
  }

  const acts: Readonly<Record<CommandName, Act>> = {
    ping,
    ...accountActs(deps),
    ...contactActs(deps),
    ...roomActs(deps),
    server_notice: noticeAct(deps),
  }

  const told = (by: Commander, command: string, planned: CommandArguments, outcome?: string): AuditAct => ({
    act: 'admin.called',
    by: actorOf(by),
    on: planned.get('user'),
    room: planned.get('room'),
    outcome,
    requestId: by.requestId,
    details: { operation: command },
  })

  return {
    async plan(by, command, given) {
      return { command, ...(await acts[command].plan(by, given)) }
    },

    async carryOut(by, { command, arguments: planned }) {
      await audit.note(told(by, command, planned, 'begun'))
      let result: CommandResult
      try {
        result = await acts[command].run(by, planned)
      } catch (error) {
        if (by.signal.aborted) throw error
        const outcome = error instanceof MatrixError ? error.errcode : 'failed'
        await audit.note(told(by, command, planned, outcome))
        throw error
      }
      await audit.note(told(by, command, planned))
      return result
    },
  }
}
