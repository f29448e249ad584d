/** The demo's own certificate authority, and a certificate for each ministry. Needs the built program. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const YEAR_MS = 365 * 24 * 3_600_000
// Certificates made now are good for clocks that are a little behind.
const DAY_MS = 24 * 3_600_000

/** The authority in a folder (`ca.crt`, `ca.key`); made where there is none. */
export async function openAuthority(folder) {
  const { createAuthority } = await import('../../dist/platform/certificate.js')
  const { systemRandom } = await import('../../dist/platform/random.js')
  const [certificateFile, keyFile] = [join(folder, 'ca.crt'), join(folder, 'ca.key')]
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    return { certificate: readFileSync(certificateFile, 'utf8'), privateKey: readFileSync(keyFile, 'utf8') }
  }
  const authority = createAuthority({
    name: 'Chancery demo authority',
    validity: { from: Date.now() - DAY_MS, until: Date.now() + 10 * YEAR_MS },
    random: systemRandom,
  })
  writeFileSync(keyFile, authority.privateKey, { mode: 0o600 })
  writeFileSync(certificateFile, authority.certificate)
  return authority
}

/** Writes `tls.crt` and `tls.key` for `localhost`, good for a year from now. */
export async function writeServerCertificate(folder, authority) {
  const { createServerCertificate } = await import('../../dist/platform/certificate.js')
  const { systemRandom } = await import('../../dist/platform/random.js')
  const { certificate, privateKey } = createServerCertificate({
    hosts: ['localhost', '127.0.0.1', '::1'],
    validity: { from: Date.now() - DAY_MS, until: Date.now() + YEAR_MS },
    authority,
    random: systemRandom,
  })
  writeFileSync(join(folder, 'tls.key'), privateKey, { mode: 0o600 })
  writeFileSync(join(folder, 'tls.crt'), certificate)
}
