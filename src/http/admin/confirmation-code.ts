import type { IncomingHttpHeaders } from 'node:http'
import { codeIn } from '../../core/admin-commands/parse-command.js'
import type { SecondFactor } from '../../services/second-factor/second-factor.js'

/** The code of the caller's authenticator; undefined where the request has none. What cannot be one is given as it is: it counts as wrong. */
export function confirmationCode(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['x-chancery-code']
  if (typeof given !== 'string' || given === '') return undefined
  return codeIn(given) ?? given.slice(0, 40)
}

/** Where endpoints of administrators that change something ask for a code too. Throws as `SecondFactor.check`. */
export async function confirmWhereGuarded(
  secondFactor: SecondFactor,
  userId: string,
  headers: IncomingHttpHeaders,
): Promise<void> {
  if (secondFactor.guardsTools) await secondFactor.check(userId, confirmationCode(headers), 'http')
}
