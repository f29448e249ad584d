/** The little of the client-server API that scripts need. */

const v3 = (path) => `/_matrix/client/v3${path}`
export const enc = encodeURIComponent

/** Calls the API; gives status and body. */
export async function call(url, method, path, { token, body } = {}) {
  const answer = await fetch(`${url}${v3(path)}`, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
    signal: AbortSignal.timeout(60_000),
  })
  return { status: answer.status, body: await answer.json() }
}

function sessionOf(url, { user_id: userId, access_token: token }) {
  return {
    url,
    userId,
    /** The body of a 200; anything else throws. */
    async ok(method, path, body) {
      const answer = await call(url, method, path, { token, body })
      if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    }, // prettier-ignore
    call: (method, path, body) => call(url, method, path, { token, body }),
  }
}

/** A session of the user, who is registered where there is none of that name. */
export async function registerOrLogIn(url, username, password) {
  const made = await call(url, 'POST', '/register', {
    body: { username, password, inhibit_login: true, auth: { type: 'm.login.dummy' } },
  })
  if (made.status !== 200 && made.body.errcode !== 'M_USER_IN_USE') {
    throw new Error(`register ${username}: ${made.status} ${JSON.stringify(made.body)}`)
  }
  const login = await call(url, 'POST', '/login', {
    body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: username }, password },
  })
  if (login.status !== 200)
    throw new Error(`login ${username}: ${login.status} ${JSON.stringify(login.body)}`)
  return sessionOf(url, login.body)
}
