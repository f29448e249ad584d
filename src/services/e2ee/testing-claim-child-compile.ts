import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformFileSync } from '@swc/core'

const LAYERS = ['core', 'platform', 'storage', join('services', 'e2ee'), join('services', 'federation'), join('services', 'to-device')] // prettier-ignore

/** For tests: compiles what the claiming child needs, so that a plain Node process can run it. Gives its path. */
export function compileForClaimChild(target: string): string {
  const source = fileURLToPath(new URL('../..', import.meta.url))
  for (const layer of LAYERS) {
    for (const entry of readdirSync(join(source, layer), { withFileTypes: true, recursive: true })) {
      if (!entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue
      const path = join(entry.parentPath, entry.name)
      const { code } = transformFileSync(path, {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
        swcrc: false,
      })
      const output = join(target, path.slice(source.length).replace(/\.ts$/, '.js'))
      mkdirSync(dirname(output), { recursive: true })
      writeFileSync(output, code)
    }
  }
  writeFileSync(join(target, 'package.json'), '{"type":"module"}')
  symlinkSync(join(source, '..', 'node_modules'), join(target, 'node_modules'))
  return join(target, 'services', 'e2ee', 'testing-claim-child.js')
}
