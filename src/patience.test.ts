import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { jest } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  jest: { testTimeout: number }
}

/** As the last argument of a test or hook, or for a whole file, in milliseconds. */
const LIMITS = /(?:^ *\}, |jest\.setTimeout\()(\d[\d_]*)\)$/gm

it('no test has less time than the rest: a limit only ends what hangs, and costs nothing on a busy machine', () => {
  const hasty = ['src', 'spec-tests'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .flatMap((name) =>
        [...readFileSync(join(ROOT, folder, name), 'utf8').matchAll(LIMITS)]
          .filter(([, limit]) => Number(limit!.replaceAll('_', '')) < jest.testTimeout)
          .map(([text]) => `${folder}/${name}: ${text.trim()}`),
      ),
  )
  expect(hasty).toEqual([])
})
