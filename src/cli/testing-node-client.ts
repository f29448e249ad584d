import { join } from 'node:path'
import { loadConfig } from '../config/load.js'
import { silentLogger } from '../platform/logger.js'
import { startServer } from '../server.js'

export interface Answer {
  readonly status: number
  readonly body: Record<string, any> // oxlint-disable-line typescript/no-explicit-any
}

/** A node in this process, and a client of it. */
export interface NodeUnderTest {
  readonly url: string
  call(method: string, path: string, token?: string, body?: object): Promise<Answer>
  /** Logs in and asks for a refresh token. */
  login(user: string, password: string): Promise<Answer>
  close(): Promise<void>
}

/** Starts the node whose configuration lies in the folder; its first listener serves clients. */
export async function startNodeIn(folder: string): Promise<NodeUnderTest> {
  const { config } = loadConfig(join(folder, 'homeserver.yaml'), { env: {} })
  const server = await startServer(config, { logger: silentLogger })
  const url = server.addresses['listener 0']!

  async function call(method: string, path: string, token?: string, body?: object): Promise<Answer> {
    const answer = await fetch(`${url}/_matrix/client/${path}`, {
      method,
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Answer['body'] }
  }

  return {
    url,
    call,
    login: (user, password) =>
      call('POST', 'v3/login', undefined, {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user },
        password,
        refresh_token: true,
      }),
    close: () => server.close(),
  }
}
