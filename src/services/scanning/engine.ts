import type { Readable } from 'node:stream'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clamd } from '../../platform/clamd.js'
import type { Random } from '../../platform/random.js'

/** A file to look at, as often as needed. */
export interface ScanSource {
  /** Bytes. */
  readonly size: number
  open(): Promise<Readable>
}

/** `unfit`: it was not looked at for what it is, such as its size. */
export type EngineVerdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'infected'; readonly signature: string }
  | { readonly kind: 'unfit'; readonly why: string }

/** What looks for what is bad in files. Both functions reject for whatever is wrong with the engine itself. */
export interface ScanEngine {
  readonly name: string
  /** Changes when other signatures are in use: what was clean is looked at again. */
  version(signal: AbortSignal): Promise<string>
  scan(source: ScanSource, signal: AbortSignal): Promise<EngineVerdict>
}

export function clamdEngine(clamd: Clamd): ScanEngine {
  return {
    name: 'clamd',
    version: (signal) => clamd.version(signal),
    async scan(source, signal) {
      const bytes = await source.open()
      try {
        const reply = await clamd.scan(bytes as AsyncIterable<Uint8Array>, signal)
        switch (reply.kind) {
          case 'ok':
            return { kind: 'clean' }
          case 'found':
            return { kind: 'infected', signature: reply.signature }
          case 'too-large':
            return { kind: 'unfit', why: 'larger than StreamMaxLength of clamd' }
          case 'refused':
            throw new Error(`clamd answered: ${reply.message}`)
        }
      } finally {
        bytes.destroy()
      }
    },
  }
}

export interface CommandEngineOptions {
  readonly path: string
  /** The file's path is the last argument. */
  readonly args: readonly string[]
  readonly infectedCodes: readonly number[]
  /** Stands for the version of the signatures. */
  readonly version: string
  /** An existing folder that nobody else reads: what is decrypted lies in it while the program looks at it. */
  readonly folder: string
}

/** Any program: exit code 0 is clean, those of the options are infected, all others mean that it failed. */
export function commandEngine(deps: {
  readonly run: (path: string, args: readonly string[], signal: AbortSignal) => Promise<number>
  readonly random: Random
  readonly options: CommandEngineOptions
}): ScanEngine {
  const { options } = deps
  return {
    name: 'command',
    version: () => Promise.resolve(options.version),
    async scan(source, signal) {
      const file = join(options.folder, deps.random.string(24))
      const bytes = await source.open()
      try {
        await writeFile(file, bytes, { mode: 0o600, flag: 'wx', signal })
        const code = await deps.run(options.path, [...options.args, file], signal)
        if (code === 0) return { kind: 'clean' }
        if (options.infectedCodes.includes(code)) return { kind: 'infected', signature: `exit code ${code}` }
        throw new Error(`${options.path} ended with exit code ${code}`)
      } finally {
        bytes.destroy()
        await rm(file, { force: true })
      }
    },
  }
}
