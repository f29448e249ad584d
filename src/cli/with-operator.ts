import { configuredKeys } from '../composition/own-keys.js'
import { buildServices } from '../composition/services.js'
import type { Config } from '../config/schema.js'
import { systemClock } from '../platform/clock.js'
import { silentLogger } from '../platform/logger.js'
import { systemRandom } from '../platform/random.js'
import type { Operator } from '../services/operator/operator.js'
import { StorageError } from '../storage/errors.js'
import type { Store } from '../storage/tx.js'
import { CliError } from './command.js'
import { readKeyFile } from './key-file.js'
import { nodeOperator, NoNode } from './node-operator.js'
import { openConfiguredStore } from './open-store.js'

/** A node has the database, and cannot be asked. */
export class UnreachableNode extends CliError {}

export interface Done<T> {
  readonly value: T
  /** `through the running node` or `in the database`. */
  readonly where: string
}

/**
 * Does something to accounts: through the node that runs with this configuration on this machine, so that sessions that it has cached
 * end too; where none runs, in the database.
 */
export async function withOperator<T>(
  config: Config,
  work: (operator: Operator) => Promise<T>,
): Promise<Done<T>> {
  try {
    return { value: await work(nodeOperator(config.operator_socket)), where: 'through the running node' }
  } catch (error) {
    if (!(error instanceof NoNode)) throw error
  }
  const store = await openStopped(config)
  try {
    return { value: await workAlone(config, store, work), where: 'in the database' }
  } finally {
    await store.close()
  }
}

async function openStopped(config: Config): Promise<Store> {
  try {
    return await openConfiguredStore(config.database)
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'locked') throw error
    throw new UnreachableNode(
      `a node or another command has the database, and nobody answers at ${config.operator_socket}. ` +
        'Run this as the user of the node, with its configuration; or stop the node for this command',
    )
  }
}

/** The services of a node that listens nowhere and sends nothing: the outbox waits for the next start. */
async function workAlone<T>(
  config: Config,
  store: Store,
  work: (operator: Operator) => Promise<T>,
): Promise<T> {
  // Says what is wrong with the file in words of the command line.
  readKeyFile(config.signing_key_path)
  const built = await buildServices({
    config,
    store,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ownKeys: configuredKeys(config),
    metrics: undefined,
  })
  await built.sender.close()
  try {
    return await work(built.services.commandLine)
  } finally {
    await built.services.accountMoves.close()
    await built.drain.close()
    await built.mediaParts.close()
    await built.transport.close()
  }
}
