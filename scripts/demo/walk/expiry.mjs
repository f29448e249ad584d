import { call, enc, logIn, pressButton, registerOrLogIn } from '../client.mjs'

const VALIDITY = '/_synapse/admin/v1/account_validity/validity'

/** An account of Santé runs out; its owner renews it by the link in a mail. */
export async function expiryStep({ desk, at, mailbox, number, saw }) {
  const { url } = at('sante')
  const [username, password] = [`temp-${number}`, 'the password of a temp']
  const address = `${username}@sante.example`
  const temp = await registerOrLogIn(url, username, password)
  await desk.ok('PUT', `/_synapse/admin/v2/users/${enc(temp.userId)}`, {
    threepids: [{ medium: 'email', address }],
  })
  await desk.ok('POST', VALIDITY, { user_id: temp.userId, expiration_ts: 1 })
  const over = await temp.call('GET', '/account/whoami')
  saw(
    'an expired account is refused, by the error that clients know',
    over.status === 403 && over.body.errcode === 'ORG_MATRIX_EXPIRED_ACCOUNT',
    over,
  )
  const again = await logIn(url, username, password)
  const since = mailbox.count()
  const sent = await call(url, 'POST', '/_matrix/client/unstable/account_validity/send_mail', {
    token: again.token,
  })
  if (sent.status !== 200) throw new Error(`no mail for a renewal: ${JSON.stringify(sent.body)}`)
  const mail = await mailbox.mailTo(address, since)
  await pressButton(/https?:\/\/\S+/.exec(mail)[0])
  const { user_id: who } = await again.ok('GET', '/account/whoami')
  saw('the link in the mail, and the button behind it, renew it', who === again.userId, who)
  await again.ok('POST', '/logout')
}
