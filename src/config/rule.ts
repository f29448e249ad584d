import type { Fault } from './fault.js'
import type { Config } from './schema.js'

export type Report = (path: Fault['path'], problem: string, remedy: string) => void

/** What may be wrong only together. */
export interface Rule {
  /** All that `look` reads, as paths with dots. Where something of it is at fault already, nothing can be said. */
  readonly reads: readonly string[]
  look(config: Config, report: Report): void
}
