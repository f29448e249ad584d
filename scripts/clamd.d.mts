/** A clamd that runs, with one signature of its own. */
export interface RunningClamd {
  /** Its socket. */
  readonly path: string
  close(): Promise<void>
}

export function clamdProgram(): string | undefined
export function startClamd(options?: {
  readonly streamMaxLength?: number
  readonly folder?: string
}): Promise<RunningClamd>
