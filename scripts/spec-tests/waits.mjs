/** What the tests waited for the limits of a server, as they noted it line by line (spec-tests/harness/patience.ts). */
import { existsSync, readFileSync } from 'node:fs'

/** Paths without what is of one test alone. */
const general = (request) => request.replaceAll(/\/(?:[!@#$]|%21|%40|%23|%24)[^/]*/gi, '/…')

/** Gives the seconds in all, and those of the requests that cost most; undefined where nobody waited. */
export function readWaits(path) {
  if (!existsSync(path)) return undefined
  const byRequest = new Map()
  for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
    const [request, ms] = JSON.parse(line)
    byRequest.set(general(request), (byRequest.get(general(request)) ?? 0) + ms / 1_000)
  }
  const sorted = [...byRequest].toSorted(([, a], [, b]) => b - a)
  return { seconds: sorted.reduce((sum, [, one]) => sum + one, 0), most: sorted.slice(0, 5) }
}
