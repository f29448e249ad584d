import type { JsonObject } from '../../core/json/value.js'
import { notFound } from '../../core/errors.js'
import { silentLogger } from '../../platform/logger.js'
import { createAccountData } from '../../services/account-data/account-data.js'
import type { AccountsDeps, AccountsOptions } from '../../services/accounts/accounts.js'
import {
  type FixtureDeps,
  accountsFixture,
  SERVER_NAME,
  type AccountsFixture,
} from '../../services/accounts/testing.js'
import { createFilters } from '../../services/filters/filters.js'
import { createBindings } from '../../services/identity/bindings.js'
import { createIdentityServers } from '../../services/identity/identity-servers.js'
import { createProfile, type ProfileOptions } from '../../services/profile/profile.js'
import { createServerInfo, type ServerInfoOptions } from '../../services/server-info/server-info.js'
import type { Services } from '../../services/services.js'
import { startTestServer, type TestRequest, type TestResponse } from '../testing.js'
import { accountRoutes } from './account-routes.js'

export interface AccountsServer {
  readonly fixture: AccountsFixture
  /** User ids that long polls were woken for, and profile changes, in order. */
  readonly notified: string[]
  readonly profileChanges: string[]
  /** Profiles of other servers' users. */
  readonly remote: Map<string, JsonObject>
  readonly url: string
  request(method: string, path: string, options?: TestRequest): Promise<TestResponse>
  close(): Promise<void>
}

export interface AccountsServerOptions {
  readonly accounts?: AccountsOptions
  readonly deps?: Partial<Omit<AccountsDeps, 'options'>> & Pick<FixtureDeps, 'mail' | 'rules'>
  readonly profile?: ProfileOptions
  readonly serverInfo?: Partial<ServerInfoOptions>
}

/** A server of the account endpoints alone. Paths without a slash at their start are below `/_matrix/client/v3/`. */
export async function startAccountsServer(options: AccountsServerOptions = {}): Promise<AccountsServer> {
  const fixture = await accountsFixture(options.accounts, options.deps)
  const { store, clock, devices, accounts, threepids } = fixture
  const notified: string[] = []
  const profileChanges: string[] = []
  const remote = new Map<string, JsonObject>()
  const services: Partial<Services> = {
    nodeInfo: { wellKnownClient: () => undefined } as Services['nodeInfo'],
    serverInfo: createServerInfo({ clock, options: { defaultRoomVersion: '12', ...options.serverInfo } }),
    devices,
    accounts,
    threepids,
    // Nobody has one, and nothing asks for it.
    secondFactor: { guardsTools: false } as Services['secondFactor'],
    bindings: createBindings({
      store,
      logger: silentLogger,
      identity: createIdentityServers({
        http: { request: () => Promise.reject(new Error('not used')) },
        logger: silentLogger,
        signRequest: () => undefined,
        trusted: [],
      }),
    }),
    profile: createProfile({
      store,
      logger: silentLogger,
      serverName: SERVER_NAME,
      fetchRemoteProfile: (userId) => {
        const profile = remote.get(userId)
        return profile === undefined ? Promise.reject(notFound('Nobody')) : Promise.resolve(profile)
      },
      onProfileChanged: (userId, field) => Promise.resolve(void profileChanges.push(`${userId} ${field}`)),
      ...(options.profile === undefined ? {} : { options: options.profile }),
    }),
    accountData: createAccountData({ store, notifier: { notify: (keys) => void notified.push(...keys) } }),
    filters: createFilters({ store }),
  }
  const server = await startTestServer(accountRoutes, services, {
    clock,
    authenticate: accounts.authenticate,
  })
  return {
    fixture,
    notified,
    profileChanges,
    remote,
    url: server.url,
    request: (method, path, request) =>
      server.request(method, path.startsWith('/') ? path : `/_matrix/client/v3/${path}`, request),
    async close() {
      await server.close()
      await fixture.close()
    },
  }
}
