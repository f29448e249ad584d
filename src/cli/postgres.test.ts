import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { openPostgres } from '../storage/postgres-store.js'
import { userById } from '../storage/tables/users.js'
import { createTestDatabase, testPostgres } from '../storage/testing-postgres.js'
import { one } from '../storage/tx.js'
import { workplace, type Finished, type Workplace } from './testing.js'

const found = await testPostgres()
if (found.kind === 'absent') console.warn(`PostgreSQL was skipped: ${found.reason}`)
const whenRunning = found.kind === 'running' ? describe : describe.skip

whenRunning('the commands on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let place: Workplace
  beforeEach(async () => {
    database = await createTestDatabase()
    place = workplace()
  })
  afterEach(async () => {
    place.remove()
    await database.drop()
  })

  async function configured(settings: object, env: Record<string, string> = {}): Promise<void> {
    const config = {
      server_name: 'ministry.example',
      passwords: { memory_kib: 64, iterations: 1 },
      database: { driver: 'postgres', ...settings },
    }
    writeFileSync(join(place.folder, 'homeserver.yaml'), JSON.stringify(config))
    expect((await place.run(['generate-key'], { env })).code).toBe(0)
  }

  const register = (user: string): Promise<Finished> =>
    place.run(['register-user', '--user', user, '--admin', '--generate-password'])

  it('check the configuration and bring the schema up to date, once', async () => {
    await configured({ url: database.url })
    expect(await place.run(['check-config'])).toMatchObject({ code: 0 })
    const first = await place.run(['migrate'])
    expect(first).toMatchObject({ code: 0, err: '' })
    expect(first.out).toMatch(/schema \d+, the newest/)
    expect(await place.run(['migrate'])).toEqual(first)
  })

  it('take the address of the database from the environment', async () => {
    const env = { CHANCERY_DATABASE_URL: database.url }
    await configured({}, env)
    expect(await place.run(['migrate'])).toMatchObject({ code: 3 })
    expect(await place.run(['migrate'], { env })).toMatchObject({ code: 0 })
  })

  it('make an account while a node has the database, which sees it', async () => {
    await configured({ url: database.url })
    const node = await openPostgres({ connectionString: database.url })
    try {
      const made = await register('admin')
      expect(made).toMatchObject({ code: 0, err: '' })
      expect(made.out).toContain('made @admin:ministry.example in the database')
      expect(await node.read('test', () => userById('@admin:ministry.example'))).toMatchObject({
        is_admin: 1,
      })
      const again = await register('admin')
      expect(again.code).toBe(1)
      expect(again.err).toContain('taken')
    } finally {
      await node.close()
    }
  })

  it('say in one line that no server answers, without the password', async () => {
    await configured({ url: 'postgres://chancery:secret@127.0.0.1:1/chancery' })
    const { code, out, err } = await place.run(['migrate'])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(err).toMatch(/127\.0\.0\.1:1/)
    expect(err).not.toContain('secret')
  })

  it('leave room for the others: a store holds no more connections than it may', async () => {
    const store = await openPostgres({ connectionString: database.url, tuning: { readers: 3 } })
    const watcher = await openPostgres({ connectionString: database.url, tuning: { readers: 1 } })
    try {
      const slow = Array.from({ length: 20 }, () =>
        store.read('slow', () => one("SELECT CAST(pg_sleep(0.05) AS TEXT) AS slept")),
      ) // prettier-ignore
      const write = store.write('slow', () => one("SELECT CAST(pg_sleep(0.2) AS TEXT) AS slept")) // prettier-ignore
      const positions = Array.from({ length: 20 }, () => store.position())
      const done = Promise.all([...slow, ...positions, write])
      let working = true
      void done.finally(() => (working = false))
      let most = 0
      while (working) {
        const count = await watcher.read('count', () =>
          one<{ n: number }>('SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database()'),
        )
        most = Math.max(most, count!.n)
      }
      await done
      // Three that read and one that writes, and the watcher's own one.
      expect(most).toBe(5)
    } finally {
      await Promise.all([store.close(), watcher.close()])
    }
  })
})
