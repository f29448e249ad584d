import { Type } from 'typebox'
import { choice, duration, flag, list, text } from '../fields.js'

const LOCKS = ['displayname', 'avatar_url', 'addresses'] as const

export const ministry = {
  address_gate: Type.Object(
    {
      enforced: flag(
        'Accounts of this server are for the e-mail addresses that belong to it alone: for those that make an account, and for those that are added to one. Needs `registration.email: required` where people register.',
        false,
      ),
      domains: list(
        'Domains whose addresses belong to this server, where there is no node list; with one, that decides.',
        Type.String({ format: 'email-domain' }),
        [],
      ),
      patterns: list(
        'Patterns of such addresses, for example `*@*.ministry.example`, where there is no node list.',
        Type.String({ format: 'email-pattern' }),
        [],
      ),
      invited_only: choice(
        'Whether an account takes an invitation by e-mail (`address_invites`): `external`: where the node list calls this server external.',
        ['external', 'always', 'never'],
        'external',
      ),
      plus_addresses: choice(
        'Whether an address may have a tag, as in `anne+matrix@ministry.example`: each is an account of its own, and all are one mailbox.',
        ['refuse', 'accept'],
        'refuse',
      ),
    },
    { description: 'Whose e-mail addresses may have an account here (docs/ministries.md).', default: {} },
  ),
  managed_accounts: Type.Object(
    {
      user_id: Type.Optional(
        text(
          'The name of a new account, made from its address: `{local}`, `{domain}`, `{organisation}`. A name that is taken gets a number. Without it people choose.',
          undefined,
          { example: '{local}-{domain}', maxLength: 200 },
        ),
      ),
      display_name: Type.Optional(
        text(
          'The display name of a new account, made from its address: `{name}` (Anne-Marie Dupont, of anne-marie.dupont), `{local}`, `{domain}`, `{organisation}`, `{address}`, and `{label}`, what the node list calls this server.',
          undefined,
          { example: '{name} [{organisation}]', maxLength: 200 },
        ),
      ),
      public_suffixes: list(
        'Domains in which every organisation has its own: with `gov.example` the organisation of finances.gov.example is Finances. Of other domains it is the label before the last.',
        Type.String({ format: 'email-domain' }),
        [],
        { maxItems: 200 },
      ),
      locked: list(
        'What users cannot change themselves: `displayname`, `avatar_url`, `addresses`. Administrators can.',
        Type.Unsafe<(typeof LOCKS)[number]>({ type: 'string', enum: LOCKS }),
        [],
        { maxItems: LOCKS.length },
      ),
    },
    { description: 'Names of accounts that the server gives.', default: {} },
  ),
  address_invites: Type.Object(
    {
      enabled: flag(
        'This server and the members of its node list keep the invitations of their e-mail addresses themselves, in place of an identity server. Needs `mail`.',
        false,
      ),
      lifetime: duration('How long an invitation waits for its address.', '30d'),
      register_url: Type.Optional(
        text(
          'Where somebody who was invited makes an account; it stands in the mail. Without it the mail names the server.',
          undefined,
          { format: 'http-url', example: 'https://chat.administration.example' },
        ),
      ),
    },
    { description: 'Invitations by e-mail without an identity server of somebody else.', default: {} },
  ),
} as const
