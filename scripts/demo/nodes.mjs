/** The nodes of the demo, and what each of them is told about its circle. */
import { fileURLToPath } from 'node:url'

/** `offset`: of its client port from the first one. */
export const NODES = [
  { name: 'finances', label: 'Finances', role: 'agents', offset: 0, email: { domains: ['finances.example'] } },
  { name: 'interieur', label: 'Intérieur', role: 'agents', offset: 10, email: { domains: ['interieur.example'] } },
  { name: 'sante', label: 'Santé', role: 'agents', offset: 20, email: { domains: ['sante.example'] } },
  { name: 'externe', label: 'Guests', role: 'external', offset: 30, email: { fallback: true } },
] // prettier-ignore

export const FEDERATION_OFFSET = 440
export const MAILBOX_OFFSET = 40
export const MAIL_OFFSET = 41

const SCAN = fileURLToPath(new URL('scan.mjs', import.meta.url))

/** clamd where there is one, else a program that knows the test file alone. */
const scanner = (clamd) =>
  clamd === undefined
    ? { engine: 'command', command: { program: process.execPath, args: [SCAN], infected_codes: [1] } }
    : { engine: 'clamd', clamd: { socket: clamd.path } }

/**
 * What a node of the circle has beside what each node of the demo has. `peer` keeps the head of its audit log; `mailPort` takes its mails; `secret` makes
 * administrators.
 */
export function circleSettings({ name, role }, { nodeList, mailPort, clamd, secret, peer, registerUrl }) {
  const isExternal = role === 'external'
  return {
    node_list: nodeList,
    mail: { host: '127.0.0.1', port: mailPort, tls: 'off', from: `matrix@${name}.example` },
    address_invites: { enabled: true, register_url: registerUrl },
    // Whoever tries the demo may make accounts at the ministries; at the external node it takes an invitation, as ever.
    registration: {
      enabled: true,
      flow: 'dummy',
      shared_secret: secret,
      ...(isExternal ? { email: 'required' } : {}),
    },
    ...(isExternal
      ? {
          address_gate: { enforced: true },
          managed_accounts: { user_id: '{local}', display_name: '{name}', locked: ['displayname'] },
        }
      : {}),
    access_rules: { enforced: true, last_administrator: 'hand-over' },
    directory: { red_list: true, people: 'circle', rooms: 'circle', wait: '2s' },
    content_scanner: { mode: 'advisory', ...scanner(clamd) },
    retention: {
      enabled: true,
      public_rooms: { most: '90d' },
      private_rooms: { usual: '365d', most: '1825d' },
      interval: '10s',
    },
    audit: { enabled: true, deposit_with: [peer], deposit_every: '5s' },
    ...(name === 'sante' ? { account_validity: { enabled: true, period: '3650d', remind_before: [] } } : {}),
  }
}
