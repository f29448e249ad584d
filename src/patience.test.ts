import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** A quarter of this is much on a machine of one's own, and little on two cores that others use. */
const LEAST_MS = 60_000

/** As the last argument of a test or hook, or for a whole file, in milliseconds. */
const LIMITS = /(?:^ *\}, |jest\.setTimeout\()(\d[\d_]*)\)$/gm

it('no test has less than a minute: a limit is there to end what hangs, and must not end what is slow on a busy machine', () => {
  const hasty = ['src', 'spec-tests'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .flatMap((name) =>
        [...readFileSync(join(ROOT, folder, name), 'utf8').matchAll(LIMITS)]
          .filter(([, limit]) => Number(limit!.replaceAll('_', '')) < LEAST_MS)
          .map(([text]) => `${folder}/${name}: ${text.trim()}`),
      ),
  )
  expect(hasty).toEqual([])
})
