import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const ROOT = fileURLToPath(new URL('../../../../..', import.meta.url))
const FOLDER = join(ROOT, 'scripts', 'simulation', 'planted-bugs')

interface Bug {
  readonly what: string
  readonly file: string
  readonly find: string
  readonly replace: string
}

const names = readdirSync(FOLDER)
const bugOf = (name: string): Bug => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Bug

describe('the bugs that the simulation must catch', () => {
  it('are at least ten', () => {
    expect(names.length).toBeGreaterThanOrEqual(10)
  })

  it.each(names)('find their place in the sources: %s', (name) => {
    const { what, file, find, replace } = bugOf(name)
    expect(what).not.toBe('')
    expect(replace).not.toBe(find)
    expect(readFileSync(join(ROOT, file), 'utf8').split(find)).toHaveLength(2)
  })
})
