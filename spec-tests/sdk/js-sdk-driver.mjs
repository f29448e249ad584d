/**
 * Runs people with matrix-js-sdk and its Rust crypto for the tests: reads one JSON request a line on standard input,
 * `{ id, person, command, args }`, and answers `{ id, result }` or `{ id, error }` on standard output. Ends with its input.
 *
 * A process of its own, because the SDK loads WebAssembly and because `Promise.withResolvers` must be there before it is loaded.
 */
import { createInterface } from 'node:readline'

// Node 20 lacks it; the SDK uses it.
Promise.withResolvers ??= function withResolvers() {
  const parts = {}
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

// Standard output is for answers; the SDK's own chatter would break them.
for (const level of ['log', 'info', 'debug', 'trace']) console[level] = () => {}
if (process.env.CHANCERY_SDK_LOG === undefined) console.warn = console.error = () => {}

const { createPerson } = await import('./js-sdk-person.mjs')

const people = new Map()

async function carryOut({ person: name, command, args = [] }) {
  if (command === 'logIn') {
    if (people.has(name)) throw new Error(`${name} is logged in already`)
    const person = await createPerson(...args)
    people.set(name, person)
    return { userId: person.userId, deviceId: person.deviceId }
  }
  if (command === 'verifyEachOther') return people.get(name).verifyWith(people.get(args[0]))
  const person = people.get(name)
  if (typeof person?.[command] !== 'function') throw new Error(`no command ${command} for ${name}`)
  return await person[command](...args)
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

// A client that is stopped or whose node is down rejects promises that nobody awaits; that is what these tests do to it.
process.on('unhandledRejection', (reason) =>
  process.stderr.write(`unhandled: ${String(reason?.stack ?? reason)}\n`),
)

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const request = JSON.parse(line)
  carryOut(request).then(
    (result) => say({ id: request.id, result: result ?? null }),
    (error) => say({ id: request.id, error: String(error?.stack ?? error) }),
  )
})
lines.on('close', () => process.exit(0))
say({ ready: true })
