/** The administration of the demo: it signs the list of the nodes that belong together. Needs the built program. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DAY_MS = 24 * 3_600_000
const YEAR_MS = 365 * DAY_MS
const SIGNER = 'administration'

async function signingKey(file) {
  const { createSigner, generateSigningKey, parseKeyFile, writeKeyFile } =
    await import('../../dist/platform/ed25519.js')
  const { systemRandom } = await import('../../dist/platform/random.js')
  if (!existsSync(file)) writeFileSync(file, writeKeyFile(generateSigningKey(systemRandom)), { mode: 0o600 })
  const [key] = parseKeyFile(readFileSync(file, 'utf8'))
  return createSigner(key)
}

/**
 * `nodeList`: what each node's configuration says of the list. `publish(members, sequence)` signs one of these members and puts it where the nodes look; each
 * list takes a higher number than the one before.
 */
export async function openAdministration(folder) {
  const { parseNodeList, NODE_LIST_TYPE } = await import('../../dist/core/node-list/parse-node-list.js')
  const { signNodeList } = await import('../../dist/core/node-list/sign-node-list.js')
  const { listChecks } = await import('../../dist/services/node-list/list-checks.js')
  const signer = await signingKey(join(folder, 'administration.key'))
  const file = join(folder, 'node-list.json')
  const trusted = { name: SIGNER, key_id: signer.keyId, public_key: signer.publicKey }

  function parsed(json) {
    const result = parseNodeList(JSON.stringify(json), listChecks)
    if (!result.ok) throw new Error(`the list of the nodes is not well made: ${JSON.stringify(result.faults)}`)
    return result.list
  } // prettier-ignore

  return {
    nodeList: { file, refresh: '1s', threshold: 1, trusted_signers: [trusted] },
    publish(members, sequence) {
      const now = Date.now()
      const list = parsed({
        type: NODE_LIST_TYPE,
        circle: 'administration.example',
        sequence,
        issued_at: now - 60_000,
        expires_at: now + YEAR_MS,
        authorities: [{ generation: 1, threshold: 1, signers: [trusted] }],
        members,
      })
      const signed = signNodeList(list, { name: SIGNER, ...signer })
      writeFileSync(`${file}.new`, `${JSON.stringify(signed, undefined, 2)}\n`)
      renameSync(`${file}.new`, file)
    },
  }
}

/** What the list says of a ministry of the demo. */
export async function memberOf(ministry, { label, role, email }, authority) {
  const { keyId, publicKey } = await signingKey(join(ministry.folder, 'signing.key'))
  return {
    server_name: ministry.serverName,
    label,
    role,
    addresses: [{ host: 'localhost', port: Number(ministry.serverName.split(':')[1]) }],
    keys: [{ key_id: keyId, public_key: publicKey }],
    tls: { ca: [authority.certificate] },
    email,
  }
}
