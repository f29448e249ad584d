/** Where a node of the tests keeps its data, if not in SQLite. */
export interface TestDatabase {
  /** The section `database` of the node's configuration. */
  readonly config: object
  drop(): Promise<void>
}

/** Connections of one node; the server that all tests share has 200. */
const CONNECTIONS = 10

/**
 * A fresh database on PostgreSQL with `CHANCERY_TEST_STORE=postgres`, else undefined: the node then uses SQLite in its folder.
 * Throws where PostgreSQL is asked for and cannot run.
 */
export async function testDatabase(): Promise<TestDatabase | undefined> {
  if (process.env['CHANCERY_TEST_STORE'] !== 'postgres') return undefined
  const { createTestDatabase } = await import('../../src/storage/testing-postgres.js')
  const database = await createTestDatabase()
  return {
    config: { driver: 'postgres', url: database.url, max_connections: CONNECTIONS },
    drop: () => database.drop(),
  }
}
