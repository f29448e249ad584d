import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { runSeed } from './run-seed.js'

const LIST = fileURLToPath(new URL('../../../../../scripts/simulation/failed-seeds.json', import.meta.url))
const failedOnce = JSON.parse(readFileSync(LIST, 'utf8')) as readonly number[]
const SEEDS = [...failedOnce, ...Array.from({ length: 24 }, (_, i) => 1 + i)]

describe('nodes that were parted, crashed and spoken to in disorder', () => {
  const totals = new Map<string, number>()

  it.each([...new Set(SEEDS)])('agree when all is well again, by seed %d', async (seed) => {
    const { faults, counts } = await runSeed(seed)
    for (const [name, value] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + value)
    expect(faults).toEqual([])
  })

  it('had something to disagree on', () => {
    const least = {
      'merged forks': 20,
      'soft failures': 2,
      'state conflicts': 15,
      restarts: 15,
      partitions: 12,
    }
    for (const [name, floor] of Object.entries(least))
      expect([name, (totals.get(name) ?? 0) >= floor]).toEqual([name, true])
  })

  it('go through the same again when the seed is the same', async () => {
    const [one, other] = [await runSeed(7), await runSeed(7)]
    expect(other).toEqual(one)
    expect((await runSeed(8)).digest).not.toBe(one.digest)
  })
})
