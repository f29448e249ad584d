import { askToRegister, call, enc, eventually, inviteAddress, registerByAddress } from '../client.mjs'

/** From "was not invited" over the mail to the first message that is read. */
export async function externalStep({ alice, at, mailbox, number, saw }) {
  const { url } = at('externe')
  const address = `guest-${number}@home.example`
  let since = mailbox.count()
  await askToRegister(url, address)
  const before = await mailbox.mailTo(address, since)
  saw('who was not invited is told so, in a mail', before.includes('was not invited'), before)
  const bare = await call(url, 'POST', '/register', {
    body: { username: `intruder-${number}`, password: 'some password', auth: { type: 'm.login.dummy' } },
  })
  saw('and makes no account without an address either', bare.status === 401, bare)

  const { room_id: room } = await alice.ok('POST', '/createRoom', {
    name: `Open ${number}`,
    initial_state: [{ type: 'im.vector.room.access_rules', content: { rule: 'unrestricted' } }],
  })
  since = mailbox.count()
  const invited = await inviteAddress(alice, room, address)
  if (invited.status !== 200) throw new Error(`the invitation is refused: ${JSON.stringify(invited.body)}`)
  const mail = await mailbox.mailTo(address, since)
  saw('the invitation is a mail that names the ministry and nobody', mail.includes('Finances') && !mail.includes('alice'), mail) // prettier-ignore
  const guest = await registerByAddress(url, address, 'a password of a guest', mailbox)
  await eventually(() => guest.ok('POST', `/rooms/${enc(room)}/join`))
  const { event_id: said } = await alice.ok('PUT', `/rooms/${enc(room)}/send/m.room.message/walk-${number}`, {
    msgtype: 'm.text',
    body: 'Welcome!',
  })
  const read = await eventually(() => guest.ok('GET', `/rooms/${enc(room)}/event/${enc(said)}`))
  saw('the guest makes an account, comes in and reads', read.content.body === 'Welcome!', read)
  const profile = await alice.ok('GET', `/profile/${enc(guest.userId)}`)
  saw('everybody sees that they are external', profile['org.chancery.external'] === true, profile)
  await guest.ok('POST', '/logout')
}
