import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Parts of the build that is measured: a foreign server signs with the program's own code. */
export async function loadProgram(dist) {
  const part = (path) => import(pathToFileURL(join(dist, path)).href)
  const parts = await Promise.all(
    [
      'core/event/build.js',
      'core/event/event-id.js',
      'core/event/sign.js',
      'core/room-version/versions.js',
      'platform/certificate.js',
      'platform/ed25519.js',
      'platform/random.js',
      'services/federation/x-matrix.js',
      'services/replication/testing/big-room.js',
    ].map(part),
  )
  return Object.assign({}, ...parts)
}

const YEAR_MS = 365 * 24 * 3_600_000
const validity = () => ({ from: Date.now() - YEAR_MS, until: Date.now() + YEAR_MS })

/** Signs the certificates of everybody in one measurement. */
export const authorityOf = ({ createAuthority, systemRandom }) =>
  createAuthority({ name: 'Bench authority', validity: validity(), random: systemRandom })

/** For `localhost`. */
export const certificateOf = ({ createServerCertificate, systemRandom }, authority) =>
  createServerCertificate({ hosts: ['localhost'], validity: validity(), authority, random: systemRandom })
