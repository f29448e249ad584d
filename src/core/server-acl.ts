import { compileGlob } from './glob.js'
import { parseServerName } from './ids/server-name.js'
import type { Json, JsonObject } from './json/value.js'

const strings = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

/**
 * Whether an `m.room.server_acl` shuts a server out. The port is not looked at, letter case neither (v1.19).
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#mroomserver_acl
 */
export function aclDenies(content: JsonObject, serverName: string): boolean {
  const parsed = parseServerName(serverName)
  if (parsed === undefined) return true
  if (content['allow_ip_literals'] === false && parsed.kind !== 'dns') return true
  const host = (parsed.kind === 'ipv6' ? `[${parsed.host}]` : parsed.host).toLowerCase()
  const matches = (list: Json | undefined): boolean =>
    strings(list).some((pattern) => compileGlob(pattern.toLowerCase())(host))
  if (matches(content['deny'])) return true
  return !matches(content['allow'])
}
