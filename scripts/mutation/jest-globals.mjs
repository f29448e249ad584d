/** What tests import from '@jest/globals', for `in-process-runner.mjs`: jest's own parts, outside of jest. */
export { describe, it, test } from 'jest-circus'
export { expect } from 'expect'
