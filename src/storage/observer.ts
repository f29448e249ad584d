/** The two levels that the store writes at; a pino logger fits. */
export interface StoreLogger {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** What the store measures; all times in milliseconds. */
export type StoreEvent =
  | { readonly kind: 'read' | 'write'; readonly label: string; readonly ms: number }
  | { readonly kind: 'group'; readonly ms: number; readonly bodies: number }
  | { readonly kind: 'sync'; readonly ms: number; readonly groups: number }
  | {
      readonly kind: 'checkpoint'
      readonly ms: number
      readonly pausedMs: number
      readonly complete: boolean
    }

/** Called on the hot path: it must be quick and must not throw. */
export type StoreObserver = (event: StoreEvent) => void

export const noObserver: StoreObserver = () => undefined

export const silentLogger: StoreLogger = { warn: () => undefined, error: () => undefined }
