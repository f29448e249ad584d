import type { Transporter } from 'nodemailer'

/** How to reach the mail server that takes outgoing messages. */
export interface SmtpOptions {
  readonly host: string
  readonly port: number
  /** `implicit`: TLS from the first byte; `starttls`: TLS is demanded before anything is said; `off`: in the clear. */
  readonly tls: 'implicit' | 'starttls' | 'off'
  readonly user?: string
  readonly password?: string
  /** PEM certificates of authorities that are trusted instead of the usual ones. */
  readonly ca?: readonly string[]
  /** Default 10 s to connect and greet, 30 s without a byte. */
  readonly timeouts?: { readonly connectMs: number; readonly idleMs: number }
}

export interface OutgoingMail {
  readonly from: string
  readonly to: string
  readonly subject: string
  /** Plain text; lines end in `\n`. */
  readonly text: string
  /** Without angle brackets. */
  readonly messageId: string
  /** Where the recipient ends such mail by one POST (RFC 8058). No spaces, no angle brackets. */
  readonly unsubscribeUrl?: string
}

/** `permanent`: the server will not take this message later either (a 5xx answer about it). */
export class MailError extends Error {
  readonly permanent: boolean
  constructor(message: string, permanent: boolean) {
    super(message)
    this.name = 'MailError'
    this.permanent = permanent
  }
}

export interface MailTransport {
  /** Resolves when the mail server has taken the message. Throws MailError, whose words hold no address. */
  send(mail: OutgoingMail): Promise<void>
  close(): void
}

/** What a server may say of one message for good. A refused log-in or sender is the operator's to mend, and tried again. */
const ABOUT_THE_MESSAGE: ReadonlySet<string> = new Set(['RCPT TO', 'DATA'])

/** Sends through a mail server, whose certificate must be valid for `host`. */
export function smtpTransport(options: SmtpOptions): MailTransport {
  const { host, port, tls, user, password, ca } = options
  const { connectMs, idleMs } = options.timeouts ?? { connectMs: 10_000, idleMs: 30_000 }
  let transport: Promise<Transporter> | undefined

  /** The package is loaded for the first message: a node starts faster without it. */
  async function open(): Promise<Transporter> {
    const { createTransport } = await import('nodemailer')
    return createTransport({
      host,
      port,
      secure: tls === 'implicit',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'off',
      ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
      tls: { minVersion: 'TLSv1.2', ...(ca === undefined || ca.length === 0 ? {} : { ca: [...ca] }) },
      connectionTimeout: connectMs,
      greetingTimeout: connectMs,
      socketTimeout: idleMs,
      // Nothing of a message is fetched from a file or an address.
      disableFileAccess: true,
      disableUrlAccess: true,
    })
  }

  return {
    async send({ from, to, subject, text, messageId, unsubscribeUrl }) {
      transport ??= open()
      const opened = await transport
      try {
        await opened.sendMail({
          from,
          to: { name: '', address: to },
          subject,
          text,
          messageId: `<${messageId}>`,
          headers: {
            'Auto-Submitted': 'auto-generated',
            ...(unsubscribeUrl === undefined
              ? {}
              : {
                  'List-Unsubscribe': `<${unsubscribeUrl}>`,
                  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
                }),
          },
        })
      } catch (error) {
        throw mailError(error)
      }
    },
    close: () => void transport?.then((opened) => opened.close()),
  }
}

function mailError(error: unknown): MailError {
  const { code, responseCode, command } = error as {
    code?: string
    responseCode?: number
    command?: string
  }
  const permanent =
    responseCode !== undefined && responseCode >= 500 && ABOUT_THE_MESSAGE.has(String(command))
  // A server's own words may repeat the address.
  const words =
    responseCode === undefined
      ? `the mail server cannot be reached (${code ?? 'unknown error'})`
      : `the mail server answered ${responseCode} to ${command ?? 'a command'}`
  return new MailError(words, permanent)
}
