/** A test that fails waits this long; one that passes never does. Generous, since the machine may be busy with other things. */
const HANG_MS = 30_000

/** Waits until the condition holds. Throws after `ms`, by the machine's own clock. */
export async function until(condition: () => Promise<boolean> | boolean, ms = HANG_MS): Promise<void> {
  for (const end = performance.now() + ms; ;) {
    if (await condition()) return
    if (performance.now() > end) throw new Error(`it did not happen within ${ms} ms: ${String(condition)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Waits until the assertions pass; throws the last of their errors after `ms`. */
export async function untilPasses<T>(assertions: () => Promise<T> | T, ms = HANG_MS): Promise<T> {
  for (const end = performance.now() + ms; ;) {
    try {
      return await assertions()
    } catch (error) {
      if (performance.now() > end) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
