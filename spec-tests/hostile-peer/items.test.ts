import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { ITEMS } from './items.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))

/** Numbers that the titles of tests in this folder begin with: `'H3: …'`. */
const numbered = new Set(
  readdirSync(here)
    .filter((name) => name.endsWith('.test.ts') && name !== 'items.test.ts')
    .flatMap((name) => [...readFileSync(here + name, 'utf8').matchAll(/['"`]([A-Z][0-9]+): /g)])
    .map(([, number]) => number!),
)

describe('what a hostile peer does', () => {
  it.each(Object.entries(ITEMS))('%s has a test', (number, { heldBy }) => {
    if (heldBy === undefined) expect([...numbered]).toContain(number)
    for (const [file, title] of heldBy ?? []) {
      const source = readFileSync(root + file, 'utf8')
      if (title !== '*') expect(source).toContain(title)
    }
  })

  it('is an item for each test that carries a number', () => {
    for (const number of numbered) expect(Object.keys(ITEMS)).toContain(number)
  })
})
