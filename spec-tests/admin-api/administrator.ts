import { createHmac } from 'node:crypto'
import { call, session, type User } from '../harness/client.js'

const SECRET = 'the secret of the administrators'

/** For nodes whose administrators are made by `administrator`. */
export const ADMIN_CONFIG = { registration: { shared_secret: SECRET } }

let counter = 0

/** A new administrator of a node. */
export async function administrator(url: string): Promise<User> {
  const path = '/_synapse/admin/v1/register'
  const { nonce } = (await call(url, 'GET', path)).body as { nonce: string }
  const username = `root-${counter++}`
  const password = 'a good password'
  const mac = createHmac('sha1', SECRET).update([nonce, username, password, 'admin'].join('\0')).digest('hex')
  return session(
    url,
    password,
    await call(url, 'POST', path, { body: { nonce, username, password, admin: true, mac } }),
  )
}
