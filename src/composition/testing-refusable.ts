/**
 * For tests: requests that a room refuses are part of the game; anything else is not.
 * `errcodes`: the refusals that count as such.
 */
export async function refusable(
  request: Promise<unknown>,
  errcodes: readonly string[] = ['M_FORBIDDEN', 'M_UNKNOWN', 'M_NOT_FOUND'],
): Promise<void> {
  try {
    await request
  } catch (error) {
    const { errcode } = error as { errcode?: string }
    if (errcode === undefined || !errcodes.includes(errcode)) throw error
  }
}
