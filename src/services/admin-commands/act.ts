import type { CommandArguments } from '../../core/admin-commands/commands.js'
import { adminActor, type ActWay, type Actor } from '../../core/audit/acts.js'
import { invalidParam } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'

/** Who commands, and how it came. */
export interface Commander {
  readonly userId: string
  readonly way: ActWay
  /** For the audit log, and the name of what is done once: the id of the request, or of the message. */
  readonly requestId: string
  /** Aborted when the node stops. */
  readonly signal: AbortSignal
}

/** What came of a command. */
export interface CommandResult {
  /** For people: what was done, in a sentence or two. */
  readonly words: string
  readonly details: JsonObject
  /** What only the commander may see, and nothing keeps. */
  readonly secrets?: Readonly<Record<string, string>>
}

/** One of the commands. `plan` finds out who and what is meant, and changes nothing; `run` is given what it found. */
export interface Act {
  /** `will`: what exactly will happen, for whoever has to confirm it. */
  plan(
    by: Commander,
    given: CommandArguments,
  ): Promise<{ readonly arguments: CommandArguments; readonly will: string }>
  /** Done twice it does no more than done once: after a crash nobody knows how far it was. */
  run(by: Commander, planned: CommandArguments): Promise<CommandResult>
}

export const actorOf = (by: Commander): Actor => adminActor(by.userId, by.way)

/** Throws M_INVALID_PARAM. */
export function argument(given: CommandArguments, name: string): string {
  const value = given.get(name)
  if (value === undefined) throw invalidParam(`${name} is missing`)
  return value
}

/** With another value in place of what was written. */
export const withArgument = (given: CommandArguments, name: string, value: string): CommandArguments =>
  new Map([...given, [name, value]])
