/** The little of the client-server API that scripts need. */
import { createHmac } from 'node:crypto'

const v3 = (path) => `/_matrix/client/v3${path}`
export const enc = encodeURIComponent
const PATIENCE_MS = 60_000
const RETRY_MS = 300

/** Calls the API (paths of v3, or whole ones); gives status and body. */
export async function call(url, method, path, { token, body } = {}) {
  const answer = await fetch(`${url}${path.startsWith('/_') ? path : v3(path)}`, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  return { status: answer.status, body: await answer.json() }
}

/** What `action` gives once it does not throw: other nodes may be a moment behind. */
export async function eventually(action) {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

function sessionOf(url, { user_id: userId, access_token: token }) {
  return {
    url,
    userId,
    token,
    /** The body of a 200; anything else throws. */
    async ok(method, path, body) {
      const answer = await call(url, method, path, { token, body })
      if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    }, // prettier-ignore
    call: (method, path, body) => call(url, method, path, { token, body }),
  }
}

/** A session of a user who has this password. */
export async function logIn(url, username, password) {
  const login = await call(url, 'POST', '/login', {
    body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: username }, password },
  })
  if (login.status !== 200)
    throw new Error(`login ${username}: ${login.status} ${JSON.stringify(login.body)}`)
  return sessionOf(url, login.body)
}

/** A session of the user, who is registered where there is none of that name. */
export async function registerOrLogIn(url, username, password) {
  const made = await call(url, 'POST', '/register', {
    body: { username, password, inhibit_login: true, auth: { type: 'm.login.dummy' } },
  })
  if (made.status !== 200 && made.body.errcode !== 'M_USER_IN_USE') {
    throw new Error(`register ${username}: ${made.status} ${JSON.stringify(made.body)}`)
  }
  return logIn(url, username, password)
}

/** A session of an administrator, who is made where there is none of that name. */
export async function administratorOf(url, username, password, secret) {
  const path = '/_synapse/admin/v1/register'
  const { nonce } = (await call(url, 'GET', path)).body
  const mac = createHmac('sha1', secret).update([nonce, username, password, 'admin'].join('\0')).digest('hex')
  const made = await call(url, 'POST', path, { body: { nonce, username, password, admin: true, mac } })
  if (made.status !== 200 && made.body.errcode !== 'M_USER_IN_USE')
    throw new Error(`administrator ${username}: ${made.status} ${JSON.stringify(made.body)}`)
  return logIn(url, username, password)
}

const CLIENT_SECRET = 'demo-client-secret'

/** Asks the node to write to somebody who wants an account; what the mail says depends on whether they may have one. */
export async function askToRegister(url, address, attempt = 1) {
  const asked = await call(url, 'POST', '/register/email/requestToken', {
    body: { client_secret: CLIENT_SECRET, email: address, send_attempt: attempt },
  })
  if (asked.status !== 200) throw new Error(`register ${address}: ${asked.status} ${JSON.stringify(asked.body)}`)
  return asked.body.sid
} // prettier-ignore

/** Opens the link of a mail and presses the button of its page, as its reader does. */
export async function pressButton(link) {
  const { origin, pathname, searchParams } = new URL(link)
  const pressed = await fetch(`${origin}${pathname}`, { method: 'POST', body: searchParams })
  if (pressed.status !== 200) throw new Error(`the page behind the link answers ${pressed.status}`)
}

/** An account by e-mail address, made as its owner would: with the link in the mail. */
export async function registerByAddress(url, address, password, mailbox) {
  const since = mailbox.count()
  const sid = await askToRegister(url, address, Date.now() % 1_000_000)
  const text = await mailbox.mailTo(address, since, (mail) => mail.includes(`sid=${sid}&`))
  await pressButton(/https?:\/\/\S+/.exec(text)[0])
  const threepid_creds = { sid, client_secret: CLIENT_SECRET }
  const made = await call(url, 'POST', '/register', {
    body: { password, auth: { type: 'm.login.email.identity', threepid_creds } },
  })
  if (made.status !== 200) throw new Error(`register ${address}: ${made.status} ${JSON.stringify(made.body)}`)
  return sessionOf(url, made.body)
}

/** Invites an e-mail address; the inviter's own node is the identity server. */
export async function inviteAddress(inviter, roomId, address) {
  const openid = await inviter.ok('POST', `/user/${enc(inviter.userId)}/openid/request_token`)
  const { token } = (
    await call(inviter.url, 'POST', '/_matrix/identity/v2/account/register', { body: openid })
  ).body
  return inviter.call('POST', `/rooms/${enc(roomId)}/invite`, {
    id_server: inviter.userId.slice(inviter.userId.indexOf(':') + 1),
    id_access_token: token,
    medium: 'email',
    address,
  })
}
