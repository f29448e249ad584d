import type { JsonObject } from '../../src/core/json/value.js'
import type { MemberRole } from '../../src/core/node-list/types.js'
import {
  startMailServer,
  type ReceivedMail,
  type TestMailServer,
} from '../../src/services/mail/testing-smtp.js'
import { call, eventually, session, v3, type User } from './client.js'
import { createNodeListFile, goesBy, memberEntry } from './node-list-file.js'
import { startNode, testAuthority, type Node } from './node.js'

/** Nodes that go by one signed list, whose accounts are made with e-mail addresses. */
export interface Circle {
  readonly nodes: readonly Node[]
  readonly mail: TestMailServer
  /** Signs the next list and waits until all go by it. By default each node as it was made. */
  publish(change?: (members: readonly JsonObject[]) => readonly JsonObject[]): Promise<void>
  /** The mails to an address, once there are so many. */
  mailsTo(address: string, count: number): Promise<readonly ReceivedMail[]>
  /** Asks for the mail of a registration. */
  askToRegister(node: Node, address: string): Promise<{ readonly status: number; readonly body: JsonObject }>
  /** Opens the link of a mail, and presses the button there. */
  openLink(address: string, sid: string): Promise<void>
  /** A new account whose owner has opened the link in the mail. */
  register(node: Node, address: string): Promise<User>
  dispose(): Promise<void>
}

export interface CircleNode {
  readonly role: MemberRole
  readonly label: string
  readonly email: JsonObject
  readonly config?: Readonly<Record<string, object>>
}

const SECRET = 'client-secret'
export const PASSWORD = 'correct horse battery'

export async function startCircle(specs: readonly CircleNode[]): Promise<Circle> {
  const list = await createNodeListFile()
  const authority = testAuthority()
  const mail = await startMailServer({ tls: 'off' })
  const nodes: Node[] = []
  for (const { config } of specs)
    nodes.push(
      await startNode({
        authority,
        config: {
          node_list: list.nodeList,
          registration: { email: 'required' },
          mail: { host: '127.0.0.1', port: mail.port, tls: 'off', from: 'matrix@administration.example' },
          address_gate: { enforced: true },
          address_invites: { enabled: true },
          access_rules: { enforced: true },
          ...config,
        },
      }),
    )
  let sequence = 0
  let attempt = 0

  const circle: Circle = {
    nodes,
    mail,
    async publish(change = (members) => members) {
      const members = await Promise.all(
        nodes.map((node, index) => {
          const { role, label, email } = specs[index]!
          return memberEntry(node, { role, label, email })
        }),
      )
      await list.publish(change(members), { sequence: ++sequence })
      for (const node of nodes) await goesBy(node.url, sequence)
    },
    async mailsTo(address, count) {
      for (;;) {
        const found = mail.mails.filter(({ to }) => to.includes(address))
        if (found.length >= count) return found
        await mail.mail(mail.mails.length)
      }
    },
    askToRegister: (node, address) =>
      call(node.url, 'POST', v3('/register/email/requestToken'), {
        body: { client_secret: SECRET, email: address, send_attempt: ++attempt },
      }),
    async openLink(address, sid) {
      // An invitation may come between.
      const proof = await eventually(`the link for ${address}`, () =>
        Promise.resolve(
          mail.mails.find(({ to, link }) => to.includes(address) && link?.includes(`sid=${sid}&`)),
        ),
      )
      const link = new URL(proof.link!)
      const form = new URLSearchParams(link.searchParams)
      const pressed = await fetch(`${link.origin}${link.pathname}`, { method: 'POST', body: form })
      if (pressed.status !== 200) throw new Error(`the link of ${address} does not open: ${pressed.status}`)
    },
    async register(node, address) {
      const { status, body } = await circle.askToRegister(node, address)
      if (status !== 200) throw new Error(`${address}: ${status} ${JSON.stringify(body)}`)
      await circle.openLink(address, body['sid'] as string)
      const threepid_creds = { sid: body['sid'], client_secret: SECRET }
      const answer = await call(node.url, 'POST', v3('/register'), {
        body: { password: PASSWORD, auth: { type: 'm.login.email.identity', threepid_creds } },
      })
      if (answer.status !== 200)
        throw new Error(`${address}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return session(node.url, PASSWORD, answer)
    },
    async dispose() {
      await Promise.all(nodes.map((node) => node.dispose()))
      await mail.close()
      await list.dispose()
    },
  }
  return circle
}
