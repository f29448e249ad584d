/**
 * The thread that copies the log into the database file, as a text: a worker's file would have to be found both
 * beside the compiled program and by a test runner that compiles in memory. It has two connections of its own.
 *
 * One round, for `checkpoint`:
 * 1. `pin` opens a snapshot. While it is open, SQLite does not begin the log anew, which would sync its header on whatever
 *    thread writes next, the event loop.
 * 2. A PASSIVE checkpoint copies and syncs all up to that snapshot; writers go on.
 * 3. `copied` is posted; the event loop stops beginning transactions and answers `restart`.
 * 4. The pin is let go, a TRUNCATE checkpoint copies the rest, and a write of the schema's user version begins the new log,
 *    so that its header is written and synced here. `done` is posted.
 */
export const CHECKPOINT_THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const Database = require(workerData.driver)
const open = () => {
  const connection = new Database(workerData.path, { timeout: workerData.busyMs })
  connection.pragma('synchronous = NORMAL')
  connection.pragma('wal_autocheckpoint = 0')
  connection.pragma('cache_size = -256')
  return connection
}
const pin = open()
const copier = open()
const describe = (error) => ({ message: String(error && error.message), code: error && error.code })

function checkpoint() {
  pin.exec('BEGIN')
  pin.pragma('user_version')
  copier.pragma('wal_checkpoint(PASSIVE)')
}

function restart() {
  if (pin.inTransaction) pin.exec('COMMIT')
  const [{ busy }] = copier.pragma('wal_checkpoint(TRUNCATE)')
  const version = copier.pragma('user_version', { simple: true })
  copier.pragma('user_version = ' + ((version + 1) % 2 ** 30))
  return busy === 0
}

parentPort.on('message', (kind) => {
  try {
    if (kind === 'checkpoint') {
      checkpoint()
      parentPort.postMessage({ kind: 'copied' })
    } else if (kind === 'restart') {
      parentPort.postMessage({ kind: 'done', complete: restart() })
    } else {
      pin.close()
      copier.close()
      parentPort.close()
    }
  } catch (error) {
    if (pin.inTransaction) pin.exec('ROLLBACK')
    parentPort.postMessage({ kind: 'failed', error: describe(error) })
  }
})
`
