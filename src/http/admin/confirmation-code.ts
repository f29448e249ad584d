import type { IncomingHttpHeaders } from 'node:http'
import { codeIn } from '../../core/admin-commands/parse-command.js'

/** The code of the caller's authenticator; undefined where the request has none. What cannot be one is given as it is: it counts as wrong. */
export function confirmationCode(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['x-chancery-code']
  if (typeof given !== 'string' || given === '') return undefined
  return codeIn(given) ?? given.slice(0, 40)
}
