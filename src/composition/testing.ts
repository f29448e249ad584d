import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../config/load.js'
import type { JsonObject } from '../core/json/value.js'
import { systemClock, type Clock } from '../platform/clock.js'
import { generateSigningKey, writeKeyFile } from '../platform/ed25519.js'
import { silentLogger } from '../platform/logger.js'
import { systemRandom } from '../platform/random.js'
import { createOwnKeys } from '../services/federation/own-keys.js'
import type { Requester } from '../services/requester.js'
import type { Services } from '../services/services.js'
import { insertUser } from '../storage/tables/users.js'
import { openTestStore } from '../storage/testing.js'
import { lateStore, type LateStore } from '../storage/testing-late.js'
import { buildServices, type Built } from './services.js'

export const TEST_SERVER = 'ours.example'

/** All services of a node without listeners and jobs, on a store that answers when the test wants. */
export interface TestServices {
  readonly services: Services
  readonly built: Built
  readonly store: LateStore
  /** The services once more on the same store, as after a restart: nothing is cached. */
  restarted(): Promise<Built>
  /** A user with an account. */
  user(name: string): Promise<Requester>
  /** One `/sync` that does not wait. */
  sync(
    requester: Requester,
    options?: { since?: string; filter?: JsonObject; stateAfter?: boolean },
  ): Promise<any> // oxlint-disable-line typescript/no-explicit-any
  close(): Promise<void>
}

/** `settings`: sections of the configuration. */
export async function testServices(
  settings: Readonly<Record<string, object>> = {},
  clock: Clock = systemClock,
): Promise<TestServices> {
  const all: Built[] = []
  const folder = await mkdtemp(join(tmpdir(), 'chancery-services-'))
  const store = lateStore(await openTestStore())
  const text = JSON.stringify({
    server_name: TEST_SERVER,
    public_baseurl: 'https://ours.example',
    data_dir: folder,
    ...settings,
  })
  const { config } = parseConfig(text, join(folder, 'homeserver.yaml'), { env: {}, readFile: () => '' })
  let keyFile = writeKeyFile(generateSigningKey(systemRandom))
  const ownKeys = createOwnKeys({
    file: {
      read: () => Promise.resolve(keyFile),
      replace(text) {
        keyFile = text
        return Promise.resolve()
      },
    },
    text: keyFile,
    clock: systemClock,
    random: systemRandom,
  })
  async function build(): Promise<Built> {
    const built = await buildServices({
      config,
      store,
      clock,
      random: systemRandom,
      logger: silentLogger,
      ownKeys,
      metrics: undefined,
    })
    all.push(built)
    return built
  }
  const built = await build()
  const { services } = built

  return {
    services,
    built,
    store,
    restarted: build,
    async user(name) {
      const userId = `@${name}:${TEST_SERVER}`
      await store.write('test.user', () =>
        insertUser({
          userId,
          passwordHash: null,
          createdTs: 0,
          isGuest: false,
          isAdmin: false,
          appserviceId: null,
        }),
      )
      return {
        userId,
        deviceId: undefined,
        isGuest: false,
        isAdmin: false,
        isSuspended: false,
        appserviceId: undefined,
      }
    },
    sync: (requester, { since, filter = {}, stateAfter = false } = {}) =>
      services.sync.sync(requester, {
        since,
        filter,
        fullState: false,
        timeoutMs: 0,
        stateAfter: stateAfter ? 'state_after' : 'no',
        signal: new AbortController().signal,
      }),
    async close() {
      for (const {
        services,
        mediaParts,
        transport,
        sender,
        drain,
        repairs,
        completion,
        push,
        appservices,
      } of all) {
        await services.administration.tasks.close()
        await services.delayedEvents.close()
        await services.adminBot?.close()
        await services.accountMoves.close()
        await Promise.all([
          mediaParts.close(),
          sender.close(),
          drain.close(),
          repairs.close(),
          completion.close(),
          push.close(),
          appservices.close(),
        ])
        await transport.close()
      }
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
