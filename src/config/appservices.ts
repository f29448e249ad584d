import { parseDocument } from 'yaml'
import {
  parseRegistration,
  registrationClashes,
  type AppserviceRegistration,
} from '../core/appservice/registration.js'
import type { Json } from '../core/json/value.js'
import type { Fault } from './fault.js'

export interface LoadedAppservices {
  readonly registrations: readonly AppserviceRegistration[]
  readonly faults: readonly Fault[]
}

const REMEDY = 'Correct the registration file; a bridge writes one with its own command.'

/** Reads the registrations; `text` is undefined for a file that cannot be read, which is told elsewhere. Gives all faults at once. */
export function readAppservices(
  files: readonly { readonly file: string; readonly text: string | undefined }[],
  serverName: string,
): LoadedAppservices {
  const faults: Fault[] = []
  const read = files.map(({ file, text }, index) => {
    if (text === undefined) return undefined
    const fault = (problem: string): void =>
      void faults.push({ path: ['appservices', index], problem: `${file}: ${problem}`, remedy: REMEDY })
    const value = fromYaml(text)
    if (value === undefined) {
      fault('is not YAML')
      return undefined
    }
    const parsed = parseRegistration(value, serverName)
    if (parsed.ok) return parsed.registration
    for (const { place, problem } of parsed.faults) fault(`${place}${place === '' ? '' : ' '}${problem}`)
    return undefined
  })
  for (const { index, problem } of registrationClashes(read))
    faults.push({
      path: ['appservices', index],
      problem: `${files[index]!.file}: ${problem}`,
      remedy: 'Every application service needs an id, a token and a user of its own.',
    })
  return { registrations: read.filter((one) => one !== undefined), faults }
}

function fromYaml(text: string): Json | undefined {
  const document = parseDocument(text, { version: '1.2', schema: 'core', prettyErrors: false })
  if (document.errors.length > 0) return undefined
  try {
    return document.toJS({ maxAliasCount: 100 }) as Json
  } catch {
    return undefined
  }
}
