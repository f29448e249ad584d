import { describe, expect, it } from '@jest/globals'
import type { Config } from '../config/schema.js'
import { parseConfig } from '../config/load.js'
import { accessPolicy } from './access-policy.js'

const ENFORCED = `access_rules:
  enforced: true
  external_servers: [guests.example]
  bypass: ['@robot:a.example']
`
const configOf = (more: string): Config =>
  parseConfig(`server_name: own.example\n${more}`, '/homeserver.yaml', { env: {}, readFile: () => '' }).config
const list = {
  roleOf: (name: string) =>
    (({ 'a.example': 'agents', 'p.example': 'partner', 'x.example': 'external' }) as const)[name],
}

describe('who is external', () => {
  it('is said by the configuration where there is no node list', () => {
    const policy = accessPolicy(configOf(ENFORCED), undefined)!
    expect(['guests.example', 'a.example', 'x.example'].map(policy.isExternalServer)).toEqual([
      true,
      false,
      false,
    ])
    expect([policy.bypasses('@robot:a.example'), policy.bypasses('@ana:a.example')]).toEqual([true, false])
  })

  it('is whoever the node list calls so, and whoever does not stand in it', () => {
    const config = configOf(ENFORCED)
    const policy = accessPolicy(config, list)!
    const servers = [
      'a.example',
      'p.example',
      'x.example',
      'guests.example',
      'unknown.example',
      config.server_name,
    ]
    expect(servers.map(policy.isExternalServer)).toEqual([false, false, true, true, true, false])
  })

  it('is nobody’s concern where the rules are not enforced', () => {
    expect(accessPolicy(configOf(''), list)).toBeUndefined()
  })
})
