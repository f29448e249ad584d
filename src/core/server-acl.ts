import { hostGlob, matchesHost } from './host-glob.js'
import { parseServerName } from './ids/server-name.js'
import type { Json, JsonObject } from './json/value.js'

const strings = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

interface Lists {
  readonly denied: (host: string) => boolean
  readonly allowed: (host: string) => boolean
}

/** One list judges many servers. */
const compiled = new WeakMap<JsonObject, Lists>()

function compile(list: Json | undefined): (host: string) => boolean {
  const patterns = new Set(strings(list).map((pattern) => pattern.toLowerCase()))
  const globs = [...patterns].filter((pattern) => /[*?]/.test(pattern)).map(hostGlob)
  return (host) => patterns.has(host) || globs.some((glob) => matchesHost(glob, host))
}

function listsOf(content: JsonObject): Lists {
  let lists = compiled.get(content)
  if (lists === undefined) {
    lists = { denied: compile(content['deny']), allowed: compile(content['allow']) }
    compiled.set(content, lists)
  }
  return lists
}

/**
 * Whether an `m.room.server_acl` shuts a server out. The port is not looked at, letter case neither (v1.19).
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#mroomserver_acl
 */
export function aclDenies(content: JsonObject, serverName: string): boolean {
  const parsed = parseServerName(serverName)
  if (parsed === undefined) return true
  if (content['allow_ip_literals'] === false && parsed.kind !== 'dns') return true
  const host = (parsed.kind === 'ipv6' ? `[${parsed.host}]` : parsed.host).toLowerCase()
  const { denied, allowed } = listsOf(content)
  return denied(host) || !allowed(host)
}
