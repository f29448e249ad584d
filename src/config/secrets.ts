import { resolve } from 'node:path'
import type { Fault } from './fault.js'

/** Where secrets may come from besides the file itself. */
export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The folder of the configuration file. */
  readonly folder: string
  /** The text of a file; throws where it cannot be read. */
  readFile(path: string): string
}

/** `turn.secret` may be given as `CHANCERY_TURN_SECRET`. */
export const secretVariable = (path: Fault['path']): string => `CHANCERY_${path.join('_').toUpperCase()}`

/**
 * The value of a secret key of `section`: written in place, read from the file that `<key>_file` names, or taken from the
 * environment. Two sources at once are a fault, as nobody could tell which one holds.
 */
export function readSecret(
  section: Readonly<Record<string, unknown>>,
  path: Fault['path'],
  sources: SecretSources,
  report: (fault: Fault) => void,
): unknown {
  const key = String(path.at(-1))
  const fileKey = `${key}_file`
  const filePath = [...path.slice(0, -1), fileKey]
  const variable = secretVariable(path)
  const here = Object.hasOwn(section, key) ? (section[key] ?? undefined) : undefined
  const file = Object.hasOwn(section, fileKey) ? (section[fileKey] ?? undefined) : undefined
  const env = sources.env[variable] || undefined
  const given = [
    here === undefined ? '' : `\`${key}\``,
    file === undefined ? '' : `\`${fileKey}\``,
    env === undefined ? '' : `the environment variable ${variable}`,
  ].filter((source) => source !== '')
  if (given.length > 1) {
    report({ path, problem: `is given ${given.length} times`, remedy: `Keep one of ${given.join(' and ')}.` })
    return undefined
  }
  if (env !== undefined) return env
  if (file === undefined) return here
  if (typeof file !== 'string' || file === '') {
    report({
      path: filePath,
      problem: 'is not a path',
      remedy: 'Write the path of the file that holds the secret.',
    })
    return undefined
  }
  const absolute = resolve(sources.folder, file)
  try {
    const text = sources.readFile(absolute).replace(/\r?\n$/, '')
    if (text !== '') return text
    report({
      path: filePath,
      problem: `names an empty file: ${absolute}`,
      remedy: 'Write the secret into it.',
    })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    report({
      path: filePath,
      problem: `names a file that cannot be read (${code}): ${absolute}`,
      remedy: 'Make the file readable for the user that runs the server, or correct the path.',
    })
  }
  return undefined
}
