import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { accessMutants, mutated } from '../../scripts/access-mutants/mutants.mjs'
import { accessScenarios } from '../../src/services/replication/testing/access-scenarios.js'

const text = (path: string): string => readFileSync(join(process.cwd(), path), 'utf8')

describe('the access rules that scripts/access-mutants.mjs deletes', () => {
  it.each(accessMutants().map((mutant) => [mutant.name, mutant] as const))(
    'have a place in the sources, and a test that is meant: %s',
    (_name, mutant) => {
      expect(mutated(mutant, text(mutant.file))).not.toBe(text(mutant.file))
      for (const path of mutant.tests) expect(text(path).length).toBeGreaterThan(0)
    },
  )

  it('are all rules that there are', () => {
    const source = ['check-access', 'direct-room', 'moved-accounts']
      .map((name) => text(`src/core/access-rules/${name}.ts`))
      .concat(text('src/services/rooms/access.ts'))
      .join('\n')
    const rules = new Set<string>(
      [...source.matchAll(/refuse\(\s*'(access\.[a-z.]+)'/g)].map((match) => match[1]!),
    )
    const deleted = new Set(accessMutants().flatMap(({ rule }) => rule ?? []))
    expect(deleted).toEqual(rules)
    for (const { rule, entries } of accessScenarios)
      for (const entry of entries)
        expect(accessMutants()).toContainEqual(expect.objectContaining({ rule, place: entry }))
  })
})
