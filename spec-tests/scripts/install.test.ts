import { describe, expect, it } from '@jest/globals'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

interface Manifest {
  gypfile?: boolean
}
const read = <T>(...path: string[]): T => JSON.parse(readFileSync(join(ROOT, ...path), 'utf8')) as T

/** Packages that hold sources for node-gyp, and say that npm must not build them. */
function readyMade(packages: Record<string, Manifest>): string[] {
  return Object.keys(packages).filter(
    (path) =>
      path !== '' &&
      existsSync(join(ROOT, path, 'binding.gyp')) &&
      read<Manifest>(path, 'package.json').gypfile === false,
  )
}

describe('the lock file', () => {
  // npm asks the lock file alone, and does not write `gypfile` there itself: where it is missing, every `npm ci` builds the
  // package from source, and fails on a machine without Python, make and a compiler.
  it('keeps npm from building what comes ready-made', () => {
    const { packages } = read<{ packages: Record<string, Manifest> }>('package-lock.json')
    const found = readyMade(packages)
    expect(found).toContain('node_modules/better-sqlite3')
    expect(found.filter((path) => packages[path]?.gypfile !== false)).toEqual([])
  })
})
