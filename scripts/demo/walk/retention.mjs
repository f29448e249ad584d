import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../../prepare.mjs'
import { enc, eventually } from '../client.mjs'

const LIFETIME_MS = 5_000

/** A room whose messages live for seconds, and the bound that the ministry sets to all. */
export async function retentionStep({ alice, camille, at, number, saw }) {
  const { room_id: room } = await alice.ok('POST', '/createRoom', {
    name: `Short notes ${number}`,
    invite: [camille.userId],
    initial_state: [{ type: 'm.room.retention', content: { max_lifetime: LIFETIME_MS } }],
  })
  await eventually(() => camille.ok('POST', `/rooms/${enc(room)}/join`))
  const { event_id: said } = await alice.ok('PUT', `/rooms/${enc(room)}/send/m.room.message/note-${number}`, {
    msgtype: 'm.text',
    body: 'Forget this.',
  })
  const gone = async (session) => {
    const { status, body } = await session.call('GET', `/rooms/${enc(room)}/event/${enc(said)}`)
    if (status === 200 && body.content.body !== undefined) throw new Error('what was said is still there')
    return true
  }
  saw(`what lives for ${LIFETIME_MS / 1_000} seconds is read by nobody after that`, await eventually(() => gone(alice))) // prettier-ignore
  saw('nor at the other ministry', await eventually(() => gone(camille)))

  const { room_id: forum } = await alice.ok('GET', `/directory/room/${enc(`#forum:${at('finances').serverName}`)}`)
  const longer = await alice.call('PUT', `/rooms/${enc(forum)}/state/m.room.retention`, {
    max_lifetime: 1_000 * 24 * 3_600_000,
  })
  saw(
    'a public room may not keep longer than the ministry lets it',
    longer.status === 403 && longer.body.reason === 'retention.bounds',
    longer,
  )
} // prettier-ignore

/** The log is whole, and the other member that keeps its head has the same. */
export async function auditStep({ at, saw }) {
  const config = join(at('finances').folder, 'homeserver.yaml')
  const against = at('interieur').serverName
  const args = [join(ROOT, 'dist', 'main.js'), 'audit', 'verify', '--config', config, '--against', against]
  const { stdout } = await eventually(() => promisify(execFile)(process.execPath, args))
  for (const line of stdout.trim().split('\n')) saw(line, true)
}
