import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { createAuthority, createServerCertificate, type Certificate } from '../../platform/certificate.js'
import { systemClock } from '../../platform/clock.js'
import { systemRandom } from '../../platform/random.js'

/** For tests: a mail server on loopback that keeps what it is given. */
export interface TestMailServer {
  readonly port: number
  /** PEM of the authority that signed its certificate. */
  readonly ca: string
  readonly mails: ReceivedMail[]
  /** How the next messages are answered; empty: taken. */
  readonly refusals: { readonly code: number; readonly at: 'RCPT' | 'DATA' }[]
  /** Resolves with message `index` once it is there. */
  mail(index: number): Promise<ReceivedMail>
  close(): Promise<void>
}

export interface ReceivedMail {
  readonly to: readonly string[]
  readonly from: string
  readonly secure: boolean
  readonly user: string | undefined
  readonly raw: string
  /** The decoded text. */
  readonly text: string
  /** The link that the mail is about. */
  readonly link: string | undefined
}

export async function startMailServer(
  options: {
    readonly tls?: 'starttls' | 'implicit' | 'off'
    /** Names in the certificate. Default localhost. */
    readonly hosts?: readonly string[]
    readonly login?: { readonly user: string; readonly password: string }
    readonly port?: number
    readonly authority?: Certificate
  } = {},
): Promise<TestMailServer> {
  const { tls = 'starttls', hosts = ['localhost'], login, port = 0 } = options
  const now = systemClock.now()
  const validity = { from: now - 3_600_000, until: now + 3_600_000 }
  const authority =
    options.authority ?? createAuthority({ name: 'mail test', validity, random: systemRandom })
  const leaf = createServerCertificate({ hosts, validity, authority, random: systemRandom })
  const mails: ReceivedMail[] = []
  const refusals: { code: number; at: 'RCPT' | 'DATA' }[] = []
  const waiting: (() => void)[] = []
  const refusal = (at: 'RCPT' | 'DATA'): Error | undefined => {
    const [next] = refusals
    if (next?.at !== at) return undefined
    refusals.shift()
    return Object.assign(new Error('refused by the test'), { responseCode: next.code })
  }
  const server = new SMTPServer({
    secure: tls === 'implicit',
    key: leaf.privateKey,
    cert: leaf.certificate,
    ...(tls === 'off' ? { disabledCommands: ['STARTTLS'] } : {}),
    disableReverseLookup: true,
    ...(login === undefined ? { authOptional: true } : {}),
    onAuth(auth, _session, done) {
      if (auth.username === login?.user && auth.password === login?.password)
        done(null, { user: auth.username })
      else done(new Error('wrong password'))
    },
    onRcptTo(_address, _session, done) {
      done(refusal('RCPT'))
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const error = refusal('DATA')
        if (error !== undefined) {
          done(error)
          return
        }
        const raw = Buffer.concat(chunks).toString('utf8')
        const text = decodeText(raw)
        mails.push({
          to: session.envelope.rcptTo.map((rcpt) => rcpt.address),
          from: session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address,
          secure: session.secure,
          user: session.user,
          raw,
          text,
          link: /https?:\/\/\S+/.exec(text)?.[0],
        })
        done()
        for (const wake of waiting.splice(0)) wake()
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.server.address() as AddressInfo).port,
    ca: authority.certificate,
    mails,
    refusals,
    async mail(index) {
      while (mails.length <= index) await new Promise<void>((resolve) => waiting.push(resolve))
      return mails[index]!
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** The body of a message of one text part, as nodemailer encodes it. */
function decodeText(raw: string): string {
  const at = raw.indexOf('\r\n\r\n')
  const [head, body] = [raw.slice(0, at), raw.slice(at + 4)]
  if (/^content-transfer-encoding: base64/im.test(head))
    return Buffer.from(body.replaceAll(/\s/g, ''), 'base64').toString('utf8')
  if (!/^content-transfer-encoding: quoted-printable/im.test(head)) return body
  return body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
