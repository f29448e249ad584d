/**
 * The walk through the demo that the README invites to, played and checked: what a person would do in a client, by the same requests. Each step says what it has
 * seen; the first that is otherwise than it should be throws.
 */
import { logIn } from './client.mjs'
import { expiryStep } from './walk/expiry.mjs'
import { externalStep } from './walk/external.mjs'
import { filesStep } from './walk/files.mjs'
import { peopleStep } from './walk/people.mjs'
import { auditStep, retentionStep } from './walk/retention.mjs'
import { roomsStep } from './walk/rooms.mjs'

const STEPS = [
  { title: 'who belongs where, and who is found', step: peopleStep },
  { title: 'rooms of all ministries, and rooms for some', step: roomsStep },
  { title: 'somebody from outside comes by an invitation', step: externalStep },
  { title: 'an account expires and is renewed', step: expiryStep },
  { title: 'an infected file', step: filesStep },
  { title: 'what is said goes when its time is over', step: retentionStep },
  { title: 'the audit log', step: auditStep },
]

/** `number` is another one each time: what a walk makes stays there. `say` gets a line for each thing seen. */
export async function walk({ ministries, passwords, mailbox, number, say }) {
  const at = (name) => ministries.get(name)
  const sessions = {}
  for (const [ministry, username] of [
    ['finances', 'alice'],
    ['finances', 'benoit'],
    ['interieur', 'camille'],
    ['sante', 'emilie'],
    ['sante', 'desk'],
    ['externe', 'gaelle'],
  ])
    sessions[username] = await logIn(at(ministry).url, username, passwords[username])
  const world = { ...sessions, at, mailbox, number }
  for (const { title, step } of STEPS) {
    say(`\n${title}`)
    await step({
      ...world,
      saw(what, holds, otherwise) {
        if (!holds) throw new Error(`${title}: it is not so that ${what}: ${JSON.stringify(otherwise)}`)
        say(`  ✓ ${what}`)
      },
    })
  }
  for (const session of Object.values(sessions)) await session.ok('POST', '/logout')
}
