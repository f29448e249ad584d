/**
 * What has come of some work once all of it has come, or after `ms` milliseconds. What fails is left out; what comes later, nobody waits for.
 */
export async function settledWithin<K, V>(work: ReadonlyMap<K, Promise<V>>, ms: number): Promise<Map<K, V>> {
  const came = new Map<K, V>()
  const all = Promise.allSettled(
    [...work].map(async ([key, promise]) => {
      came.set(key, await promise)
    }),
  )
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms).unref()
  })
  await Promise.race([all, over])
  clearTimeout(timer)
  return new Map(came)
}
