/** What the demo shows of a circle of ministries: administrators, a guest, an account that has expired, somebody on the red list. */
import {
  administratorOf,
  enc,
  eventually,
  inviteAddress,
  logIn,
  registerByAddress,
  registerOrLogIn,
} from './client.mjs'

export const CIRCLE_PEOPLE = [
  { ministry: 'finances', username: 'desk', note: 'administrator' },
  { ministry: 'sante', username: 'desk', note: 'administrator' },
  { ministry: 'sante', username: 'hugo', note: 'expired', displayname: 'Hugo Petit' },
  { ministry: 'externe', username: 'gaelle', note: 'external' },
]

const VALIDITY = '/_synapse/admin/v1/account_validity/validity'

/** An open room with a guest, who was invited by e-mail. */
async function inviteGuest({ ministries, passwords, mailbox, alice }) {
  const { url } = ministries.get('externe')
  const alias = `#guests:${ministries.get('finances').serverName}`
  const known = await alice.call('GET', `/directory/room/${enc(alias)}`)
  const { room_id: roomId } =
    known.status === 200
      ? known.body
      : await alice.ok('POST', '/createRoom', {
          preset: 'private_chat',
          room_alias_name: 'guests',
          name: 'With guests',
          topic: 'Open to people from outside, each by an invitation.',
          initial_state: [{ type: 'im.vector.room.access_rules', content: { rule: 'unrestricted' } }],
        })
  const guest = await logIn(url, 'gaelle', passwords['gaelle']).catch(async () => {
    const invited = await inviteAddress(alice, roomId, 'gaelle@home.example')
    if (invited.status !== 200) throw new Error(`the guest is not invited: ${JSON.stringify(invited.body)}`)
    return registerByAddress(url, 'gaelle@home.example', passwords['gaelle'], mailbox)
  })
  await eventually(() => guest.ok('POST', `/rooms/${enc(roomId)}/join`))
  await guest.ok('POST', '/logout')
}

async function expire({ ministries, passwords, desk }) {
  const { url, serverName } = ministries.get('sante')
  const hugo = await registerOrLogIn(url, 'hugo', passwords['hugo'])
  await desk.ok('PUT', `/_synapse/admin/v2/users/${enc(hugo.userId)}`, {
    displayname: 'Hugo Petit',
    threepids: [{ medium: 'email', address: 'hugo@sante.example' }],
  })
  await hugo.ok('POST', '/logout')
  await desk.ok('POST', VALIDITY, { user_id: `@hugo:${serverName}`, expiration_ts: 1 })
}

/** Can be run again after an interruption. */
export async function populateCircle({ ministries, passwords, secret, mailbox }) {
  const [finances, sante] = ['finances', 'sante'].map((name) => ministries.get(name).url)
  const desk = await administratorOf(sante, 'desk', passwords['desk'], secret)
  const own = await administratorOf(finances, 'desk', passwords['desk'], secret)
  const alice = await logIn(finances, 'alice', passwords['alice'])
  const farid = await logIn(sante, 'farid', passwords['farid'])
  await farid.ok('PUT', `/user/${enc(farid.userId)}/account_data/im.vector.hide_profile`, {
    hide_profile: true,
  })
  await inviteGuest({ ministries, passwords, mailbox, alice })
  await expire({ ministries, passwords, desk })
  for (const session of [desk, own, alice, farid]) await session.ok('POST', '/logout')
}
