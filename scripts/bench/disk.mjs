import { createRequire } from 'node:module'
import pg from 'pg'
import { SQLITE_DRIVER } from '../prepare.mjs'

const Database = createRequire(import.meta.url)(SQLITE_DRIVER)

/** Rows and bytes of each table, indexes included. SQLite counts used pages only; of the log it knows nothing. */
export function sqliteTables(path) {
  const database = new Database(path, { readonly: true })
  try {
    const owners = database
      .prepare(`SELECT name, tbl_name AS owner FROM sqlite_schema WHERE type IN ('table', 'index')`)
      .all()
    const ownerOf = new Map(owners.map((row) => [row.name, row.owner]))
    const tables = new Map()
    for (const { name, bytes } of database
      .prepare('SELECT name, SUM(pgsize) AS bytes FROM dbstat WHERE aggregate = TRUE GROUP BY name')
      .all()) {
      const owner = ownerOf.get(name) ?? name
      if (owner.startsWith('sqlite_')) continue
      const known = tables.get(owner)
      if (known === undefined) {
        const { rows } = database.prepare(`SELECT COUNT(*) AS rows FROM "${owner}"`).get()
        tables.set(owner, { rows, bytes })
      } else known.bytes += bytes
    }
    return tables
  } finally {
    database.close()
  }
}

export async function postgresTables(url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: names } = await client.query(
      `SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class
       WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`,
    )
    const tables = new Map()
    for (const { name, bytes } of names) {
      const counted = await client.query(`SELECT COUNT(*) AS rows FROM "${name}"`)
      tables.set(name, { rows: Number(counted.rows[0].rows), bytes: Number(bytes) })
    }
    return tables
  } finally {
    await client.end()
  }
}

/** What grew between two readings, for each of `count` things done meanwhile. Tables that did not grow are left out. */
export function growth(before, after, count) {
  const tables = []
  for (const [name, now] of after) {
    const then = before.get(name) ?? { rows: 0, bytes: 0 }
    const rows = (now.rows - then.rows) / count
    const bytes = (now.bytes - then.bytes) / count
    if (rows !== 0 || bytes !== 0) tables.push({ name, rows, bytes })
  }
  tables.sort((a, b) => b.bytes - a.bytes)
  const sum = (field) => tables.reduce((total, table) => total + table[field], 0)
  return { count, rows: sum('rows'), bytes: sum('bytes'), tables }
}

let databases = 0

/** A database for this run alone. */
export async function postgresDatabase(url) {
  const name = `chancery_bench_${process.pid}_${databases++}`
  const admin = async (sql) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  await admin(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: own.href, drop: () => admin(`DROP DATABASE ${name} WITH (FORCE)`) }
}
