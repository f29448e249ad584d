import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Json } from '../../../src/core/json/value.js'
import { encodeJson } from './encode-json.js'

/** What Synapse says of one event. See scripts/oracle/synapse_oracle.py. */
export interface TheirEvent {
  readonly id: string
  readonly ok: boolean
  readonly stage: string
  readonly why: string
  readonly before: readonly number[]
  readonly hash: string
  readonly ref: string
  readonly redacted: string
  /** Whether the event carries the hash of its own content; only of PDUs judged alone. */
  readonly hashOk?: boolean
}
export interface TheirLoose extends Partial<TheirEvent> {
  readonly ok: boolean
  readonly why: string
  /** Refused for its size in bytes, but kept as rejected: older servers counted code points. */
  readonly lenient?: boolean
}
export interface TheirRoom {
  readonly events: readonly TheirEvent[]
  readonly leaves: readonly number[]
  readonly loose: readonly TheirLoose[]
  readonly crash?: string
}

export interface Question {
  readonly version: string
  readonly events: readonly { readonly pdu: Json; readonly outlier: boolean }[]
  readonly loose: readonly Json[]
}

export interface OracleClient {
  /** Asks about one room; answers come in the order of the questions. */
  ask(question: Question): Promise<TheirRoom>
  close(): void
}

/** Starts the oracle's process. `python` is one in which Synapse is installed. */
export function startOracle(python: string, script: string): OracleClient {
  const child = spawn(python, ['-X', 'utf8', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: { resolve(room: TheirRoom): void; reject(error: Error): void }[] = []
  const fail = (error: Error): void => {
    for (const one of waiting.splice(0)) one.reject(error)
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    waiting.shift()?.resolve(JSON.parse(line) as TheirRoom)
  })
  child.on('error', fail)
  child.stdin.on('error', fail)
  child.on('exit', (code) => fail(new Error(`the oracle ended with code ${code}`)))
  return {
    ask(question) {
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        const json: Json = {
          version: question.version,
          events: question.events.map((event) => ({ ...event })),
          loose: question.loose,
        }
        child.stdin.write(`${encodeJson(json)}\n`)
      })
    },
    close: () => child.stdin.end(),
  }
}
