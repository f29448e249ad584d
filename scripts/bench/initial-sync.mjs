import { v3 } from './client.mjs'
import { spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'

/** Initial syncs one after the other, without a filter, one for each of the users. */
export async function measureInitialSync(client, users) {
  const waits = []
  let rooms = 0
  let bytes = 0
  const { cpuMs, loopMaxMs } = await spent(client, async () => {
    for (const { token } of users) {
      const before = performance.now()
      const answer = await client.text('GET', v3('/sync?timeout=0'), token)
      waits.push(performance.now() - before)
      bytes = answer.length
      rooms = Object.keys(JSON.parse(answer).rooms?.join ?? {}).length
    }
  })
  return {
    syncs: users.length,
    rooms,
    bytes,
    ...quantiles(waits),
    cpuMsPerSync: cpuMs / users.length,
    loopMaxMs,
  }
}
