import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformFileSync } from '@swc/core'

/** Compiles the layers that storage needs into `target`, so that a plain Node process can run them. Gives the child's path. */
export function compileForChild(target: string): string {
  const source = fileURLToPath(new URL('../..', import.meta.url))
  for (const layer of ['core', 'platform', 'storage']) compileFolder(join(source, layer), join(target, layer))
  writeFileSync(join(target, 'package.json'), '{"type":"module"}')
  symlinkSync(join(source, '..', 'node_modules'), join(target, 'node_modules'))
  return join(target, 'storage', 'durability', 'child.js')
}

function compileFolder(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue
    const path = join(entry.parentPath, entry.name)
    const { code } = transformFileSync(path, {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'es6' },
      swcrc: false,
    })
    const output = join(to, path.slice(from.length).replace(/\.ts$/, '.js'))
    mkdirSync(dirname(output), { recursive: true })
    writeFileSync(output, code)
  }
}
