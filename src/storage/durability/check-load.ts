import { existsSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { SqliteDatabase } from '../sqlite-driver.js'
import { PARTS, payloadOf } from './load.js'

export interface Acknowledged {
  readonly id: string
  readonly pos: number
  /** The store's position when it was acknowledged. */
  readonly durable: number
}

/** The lines `id pos durable`; undefined where the process was not yet ready. */
export function parseAcknowledged(text: string): Acknowledged[] | undefined {
  const lines = text.split('\n')
  // What is behind the last newline was cut short, and is not acknowledged.
  lines.pop()
  if (!lines.includes('ready')) return undefined
  return lines
    .filter((line) => line !== 'ready')
    .map((line) => {
      const [id, pos, durable] = line.split(' ')
      return { id: id!, pos: Number(pos), durable: Number(durable) }
    })
}

/** Opens the database as after a crash and names what is wrong with it; an empty list where nothing is. */
export function findFaults(path: string, acknowledged: readonly Acknowledged[], integrity = true): string[] {
  if (!existsSync(path)) return ['the database is gone']
  try {
    const database = new SqliteDatabase(path)
    try {
      return check(database, acknowledged, integrity)
    } finally {
      database.close()
    }
  } catch (error) {
    return [`cannot be read: ${String(error)}`]
  }
}

function check(database: Database, acknowledged: readonly Acknowledged[], integrity: boolean): string[] {
  const faults: string[] = []
  if (integrity) {
    const result = database.pragma('integrity_check', { simple: true })
    if (result !== 'ok') faults.push(`integrity: ${String(result)}`)
  }
  const heads = new Map(
    database
      .prepare<[], { id: string; pos: number }>('SELECT id, pos FROM load_heads')
      .all()
      .map((row) => [row.id, row.pos]),
  )
  const parts = new Map<string, number>()
  const rows = database.prepare<[], { id: string; part: number; payload: string }>('SELECT id, part, payload FROM load_parts') // prettier-ignore
  for (const { id, part, payload } of rows.iterate()) {
    parts.set(id, (parts.get(id) ?? 0) + 1)
    if (payload !== payloadOf(id, part, payload.length)) faults.push(`${id} is garbled`)
  }
  for (const id of heads.keys()) if (parts.get(id) !== PARTS) faults.push(`${id} is half-written`)
  for (const id of parts.keys()) if (!heads.has(id)) faults.push(`${id} has no head`)
  const highest = Math.max(0, ...heads.values())
  const position = database.prepare<[], number>('SELECT pos FROM stream_position').pluck().get()
  if (position !== highest) faults.push(`position ${position}, but rows up to ${highest}`)
  for (const { id, pos, durable } of acknowledged) {
    if (heads.get(id) !== pos) faults.push(`${id} was acknowledged and is lost`)
    if (durable < pos) faults.push(`${id} was acknowledged at ${pos} while the position was ${durable}`)
    if (durable > highest) faults.push(`the position was ${durable}, rows go up to ${highest}`)
  }
  return faults
}
