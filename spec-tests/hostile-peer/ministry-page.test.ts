import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const DOCS = new URL('../../docs/', import.meta.url)
const page = readFileSync(fileURLToPath(new URL('ministries.md', DOCS)), 'utf8')
const HEADING = '\n## What a member may try that holds to no rules\n'

/** The rows of the table below the heading, each as its cells. */
function rows(): string[][] {
  const section = page.slice(page.indexOf(HEADING) + HEADING.length).split('\n## ', 1)[0]!
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| *| *\|$/g, '').trim()))
}

const linksIn = (cell: string): RegExpExecArray[] => [...cell.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)]
const cases = rows().flatMap(([rule, own, others]) => [
  [rule!, 'its own people', own!] as const,
  [rule!, 'a member that lies', others!] as const,
])

describe('the rules of a circle', () => {
  it('are a table of rules with two sides each', () => {
    expect(cases.length).toBeGreaterThan(20)
    for (const row of rows()) expect(row).toHaveLength(3)
  })

  it.each(cases)('%s: what is shown of %s stands in the tests that are named', (_rule, _side, cell) => {
    const links = linksIn(cell)
    if (links.length === 0) expect(cell).toMatch(/^none: /)
    for (const [, title, path] of links) {
      const source = readFileSync(fileURLToPath(new URL(path!, DOCS)), 'utf8')
      expect(source).toContain(title)
    }
  })
})
