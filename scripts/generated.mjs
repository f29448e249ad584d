/**
 * node scripts/generated.mjs [--write]
 *
 * Compares the files that are made from the sources with what the sources make now. With --write it writes them.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { prepare, ROOT } from './prepare.mjs'
import { endpointsPage } from './spec-tests/endpoints.mjs'

const built = (path) => import(new URL(`../dist/${path}`, import.meta.url))

/** Each file with the function that makes its text. */
const GENERATED = [
  {
    path: 'config/homeserver.example.yaml',
    make: async () => (await built('config/example.js')).exampleConfig({ server_name: 'ministry.example' }),
  },
  {
    path: 'docs/endpoints.md',
    make: async () =>
      endpointsPage(
        (await built('server.js')).allRoutes,
        JSON.parse(readFileSync(join(ROOT, 'spec-tests', 'results.json'), 'utf8')),
      ),
  },
]

prepare()
const write = process.argv.includes('--write')
let stale = 0
for (const { path, make } of GENERATED) {
  const file = join(ROOT, path)
  const text = await make()
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
  if (write) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    console.log(`wrote ${path}`)
  } else {
    console.log(`${path} is not what the sources make; run: node scripts/generated.mjs --write`)
    stale += 1
  }
}
process.exitCode = stale === 0 ? 0 : 1
