const RESET = '\u001b[0m'
const COLOURS: Readonly<Record<string, string>> = {
  trace: '\u001b[90m',
  debug: '\u001b[90m',
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
  fatal: '\u001b[35m',
}

/** A log line for people: `12:34:56 INFO  request route=whoAmI status=200`. Values are quoted, so that none can drive the terminal. */
export function prettyLine(line: string, colours: boolean): string {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(line) as Record<string, unknown>
  } catch {
    return line
  }
  const { time, level, msg, err, ...rest } = fields
  const name = String(level)
  const shown = name.toUpperCase().padEnd(5)
  const colour = colours ? COLOURS[name] : undefined
  const head = `${String(time).slice(11, 19)} ${colour === undefined ? shown : colour + shown + RESET} ${String(msg)}`
  const tail = Object.entries(rest).map(([key, value]) => `${key}=${valueText(value)}`)
  const stack = (err as { stack?: string } | undefined)?.stack
  return [head, ...tail].join(' ') + (stack === undefined ? '' : `\n${stack.replaceAll(/[^\P{Cc}\n]/gu, '')}`)
}

function valueText(value: unknown): string {
  const json = JSON.stringify(value) ?? 'undefined'
  return /^"[A-Za-z0-9_.:/@!#$%+=?&~-]*"$/.test(json) ? json.slice(1, -1) : json
}
