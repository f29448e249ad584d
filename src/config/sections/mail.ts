import { Type } from 'typebox'
import { choice, flag, integer, list, secret, text } from '../fields.js'

export const mail = {
  mail: Type.Object(
    {
      host: Type.Optional(
        text(
          'The mail server that takes outgoing mail; its certificate must be for this name. Without it no mail is sent, and accounts have no e-mail addresses.',
          undefined,
          { format: 'host', example: 'smtp.ministry.example' },
        ),
      ),
      port: integer('TCP port; usually 587 for `starttls`, 465 for `implicit`.', 587, 1, 65_535),
      tls: choice(
        '`starttls`: TLS is demanded once the connection stands; `implicit`: TLS from the first byte; `off`: in the clear, for a mail server on the same machine.',
        ['starttls', 'implicit', 'off'],
        'starttls',
      ),
      ca_files: list(
        'PEM files of certificate authorities that are trusted for the mail server instead of the public ones.',
        Type.String({ format: 'path' }),
        [],
      ),
      user: Type.Optional(text('The name to log in with; without it nobody logs in.', undefined)),
      password: secret('The password to log in with.'),
      from: Type.Optional(
        text('The sender, for example `matrix@ministry.example`. Needed with `host`.', undefined, {
          format: 'email',
          example: 'matrix@ministry.example',
        }),
      ),
      next_links: list(
        'Web addresses, for example of a client, that a person may be sent on to after confirming an e-mail address; each stands for all below it.',
        Type.String({ format: 'http-url' }),
        [],
      ),
      hide_addresses: flag(
        'Tell nobody whether an e-mail address has an account: whoever asks gets the same answer, and the mailbox the truth. `false`: the errors M_THREEPID_IN_USE and M_THREEPID_NOT_FOUND.',
        true,
      ),
    },
    {
      description:
        'Outgoing mail: confirmation of e-mail addresses, new passwords. Off while `host` is not set.',
      default: {},
    },
  ),
} as const
