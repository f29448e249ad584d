const DURATION = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)(ms|s|m|h|d|w)$/
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** Ten years: longer than anything here is meant to last, and exact in a double. */
const MAX_DURATION = 3_650 * 86_400_000

/** Milliseconds of `500ms`, `30s`, `1.5h`, `7d`, `2w`; undefined for anything else and for more than ten years. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  const ms = Math.round(Number(match[1]) * UNIT_MS[match[2]!]!)
  return ms <= MAX_DURATION ? ms : undefined
}

const SIZE = /^([0-9]{1,12})(?:([KMGT])(?:i?B)?)?$/
const UNIT_BYTES: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/** Bytes of `1048576`, `64K`, `50M`, `2G` (powers of 1024); undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text)
  if (match === null) return undefined
  const bytes = Number(match[1]) * (match[2] === undefined ? 1 : UNIT_BYTES[match[2]]!)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
