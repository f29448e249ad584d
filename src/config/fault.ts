/** One thing that is wrong with a configuration. */
export interface Fault {
  /** Keys and indices from the top of the file. */
  readonly path: readonly (string | number)[]
  /** What is wrong; follows the path in a sentence. */
  readonly problem: string
  /** What to do about it: whole sentences. */
  readonly remedy: string
  /** Line in the file, from 1, where it is known. */
  readonly line?: number
}

/** `listeners[0].port`; the top of the file is the empty text. */
export function pathText(path: Fault['path']): string {
  let out = ''
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`
    else out += out === '' ? part : `.${part}`
  }
  return out
}

/** All faults of one configuration. The message is meant for the terminal. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[]

  constructor(file: string, faults: readonly Fault[]) {
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
    super([`${file}: ${count}`, ...faults.map(faultText)].join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

function faultText(fault: Fault): string {
  const where = [fault.line === undefined ? '' : `line ${fault.line}`, pathText(fault.path)].filter(
    (s) => s !== '',
  )
  return `  ${where.join(', ')}${where.length > 0 ? ': ' : ''}${fault.problem}\n      ${fault.remedy}`
}
