import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Builds the library that makes a node's disk slow, full or broken; undefined where there is no C compiler. */
export function buildShim(folder: string): string | undefined {
  const library = join(folder, 'shim.so')
  const source = fileURLToPath(new URL('../../src/storage/durability/shim.c', import.meta.url))
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl', '-lpthread'])
    return library
  } catch {
    console.warn('no gcc: this runs without a disk of its own making')
    return undefined
  }
}
