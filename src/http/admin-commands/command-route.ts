import { Type, type TSchema } from 'typebox'
import {
  ADMIN_COMMANDS,
  COMMAND_NAMES,
  maxLength,
  needsConfirmation,
  usageOf,
  type AdminCommand,
  type CommandName,
} from '../../core/admin-commands/commands.js'
import { namedArguments } from '../../core/admin-commands/parse-command.js'
import { invalidParam } from '../../core/errors.js'
import type { Commander } from '../../services/admin-commands/act.js'
import { confirmationCode } from '../admin/confirmation-code.js'
import { route, type Route } from '../route.js'

const PATH = '/_chancery/admin/v1'

/** Runs on though the caller hangs up. */
const { signal } = new AbortController()

/** `adminCommandResetPassword`. */
const idOf = (command: CommandName): string =>
  `adminCommand${command
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}`

function bodyOf({ arguments: wanted }: AdminCommand) {
  const members = wanted.map(({ name, kind, isOptional }): [string, TSchema] => {
    const text = Type.String({ maxLength: maxLength(kind) })
    return [name, isOptional === true ? Type.Optional(text) : text]
  })
  return Type.Object({ ...Object.fromEntries(members), explain: Type.Optional(Type.Boolean()) })
}

/**
 * What administrators may also tell the administration bot, for scripts: a member of the body for each argument. What is dangerous wants a code of the
 * caller's authenticator in `X-Chancery-Code`; `explain` says what would happen, and does nothing.
 * NOTSPEC: no specification has it.
 */
function commandRoute(command: CommandName): Route {
  return route({
    id: idOf(command),
    method: 'POST',
    paths: [`${PATH}/${command}`],
    auth: 'admin',
    rateLimit: 'write',
    body: bodyOf(ADMIN_COMMANDS[command]),
    async handler({ requester, body, request }, { adminCommands, secondFactor }) {
      const { explain, ...given } = body as Record<string, unknown>
      const read = namedArguments(command, given as Record<string, string | undefined>)
      if ('fault' in read) throw invalidParam(read.fault)
      const by: Commander = { userId: requester.userId, way: 'http', requestId: request.id, signal }
      const plan = await adminCommands.plan(by, command, read.arguments)
      if (explain === true) return { will: plan.will }
      if (needsConfirmation(command, read.arguments))
        await secondFactor.check(requester.userId, confirmationCode(request.headers), 'http', {
          will: plan.will,
        })
      const { words, details, secrets = {} } = await adminCommands.carryOut(by, plan)
      return { message: words, ...details, ...secrets }
    },
  })
}

/** NOTSPEC: the commands that there are, for scripts and consoles. */
const listAdminCommands = route({
  id: 'listAdminCommands',
  method: 'GET',
  paths: [`${PATH}/commands`],
  auth: 'admin',
  rateLimit: 'read',
  handler: () =>
    Promise.resolve({
      commands: COMMAND_NAMES.map((name) => {
        const { summary, arguments: wanted, confirmed }: AdminCommand = ADMIN_COMMANDS[name]
        return {
          name,
          summary,
          usage: usageOf(name),
          arguments: wanted.map((argument) => ({
            name: argument.name,
            optional: argument.isOptional === true,
          })),
          confirmed: typeof confirmed === 'string' ? confirmed : `with ${confirmed.with}`,
        }
      }),
    }),
})

export const adminCommandRoutes: readonly Route[] = [listAdminCommands, ...COMMAND_NAMES.map(commandRoute)]
