import type { AnswerWatcher } from '../../src/http/testing.js'

/**
 * Holds the answers of servers inside the tests' own process (`src/http/testing.ts`) to the specification. Jest runs this before each
 * file of tests, so the definitions are read only when there is something to check.
 */
const watch: AnswerWatcher = async (answer) => {
  const { assertContract } = await import('./contract.js')
  assertContract(answer)
}
;(globalThis as Record<symbol, unknown>)[Symbol.for('chancery.answer-watcher')] = watch
