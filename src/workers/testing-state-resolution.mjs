/** For tests only: `state-resolution-thread.ts` as a thread that runs from its source. */
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
await import('./state-resolution-thread.ts')
