import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseNodeList } from '../core/node-list/parse-node-list.js'
import type { ListFault } from '../core/node-list/read-fields.js'
import type { ListSigner, NodeList } from '../core/node-list/types.js'
import { publicKey } from '../platform/ed25519.js'
import { listChecks } from '../services/node-list/list-checks.js'
import { CliError, type CliIo } from './command.js'
import { printable } from './reports.js'

const told = ({ path, problem }: ListFault): string =>
  `${printable(path).slice(1, -1)} ${printable(problem).slice(1, -1)}`

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CliError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  }
}

/** A list that is well-formed; what is strange in it is told. Throws CliError with all its faults. */
export function readNodeList(file: string, io: CliIo): NodeList {
  const path = resolve(io.cwd, file)
  const parsed = parseNodeList(read(path), listChecks)
  if (!parsed.ok) throw new CliError([`${path} is no node list:`, ...parsed.faults.map(told)].join('\n    '))
  for (const warning of parsed.warnings) io.err(`note: ${told(warning)}`)
  return parsed.list
}

/** Lines of `NAME KEYID PUBLICKEY`; those that are empty or begin with `#` are passed over. Throws CliError. */
export function readSigners(file: string, io: CliIo): readonly ListSigner[] {
  const path = resolve(io.cwd, file)
  return read(path)
    .toString('utf8')
    .split('\n')
    .flatMap((line, index) => {
      const words = line.trim().split(/[ \t]+/)
      const [name = '', keyId = '', text = ''] = words
      if (name === '' || name.startsWith('#')) return []
      const key = publicKey(text)
      if (words.length !== 3 || key === undefined)
        throw new CliError(
          `line ${index + 1} of ${path} is not \`NAME KEYID PUBLICKEY\`, such as \`anssi ed25519:a_1 <43 characters>\``,
        )
      return [{ name, keyId, publicKey: key.base64 }]
    })
}
