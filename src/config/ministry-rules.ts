import { DISPLAY_NAME_FIELDS, unknownFields, USER_ID_FIELDS, type NameField } from '../core/account-names.js'
import type { Rule } from './rule.js'

/** What may be wrong together in the sections for ministries. */
export const MINISTRY_RULES: readonly Rule[] = [
  {
    reads: ['address_gate', 'node_list', 'registration'],
    look({ address_gate: gate, node_list: nodes, registration }, report) {
      if (!gate.enforced) return
      const hasList = nodes.file !== undefined || nodes.url !== undefined
      if (!hasList && gate.domains.length === 0 && gate.patterns.length === 0)
        report(
          ['address_gate', 'domains'],
          'is empty',
          'Say whose addresses belong to this server, or name a node list.',
        )
      if (registration.enabled && registration.email !== 'required')
        report(
          ['registration', 'email'],
          'lets people register without an address',
          'Write `required`: `address_gate.enforced` judges addresses.',
        )
      if (registration.guests)
        report(['registration', 'guests'], 'needs no address', 'Write `false`, or let everybody in.')
    },
  },
  {
    reads: ['managed_accounts', 'registration'],
    look({ managed_accounts: managed, registration }, report) {
      const check = (key: 'user_id' | 'display_name', known: readonly NameField[]): void => {
        const template = managed[key]
        if (template === undefined) return
        const [strange] = unknownFields(template, known)
        if (strange !== undefined)
          report(
            ['managed_accounts', key],
            `names \`${strange}\`, which is nothing`,
            `Use ${known.map((name) => `\`{${name}}\``).join(', ')}.`,
          )
        if (registration.enabled && registration.email !== 'required')
          report(
            ['managed_accounts', key],
            'is made from an address that a new account need not have',
            'Set `registration.email: required`.',
          )
      }
      check('user_id', USER_ID_FIELDS)
      check('display_name', DISPLAY_NAME_FIELDS)
    },
  },
  {
    reads: ['address_invites', 'mail.host'],
    look({ address_invites: invites, mail }, report) {
      if (invites.enabled && mail.host === undefined)
        report(
          ['address_invites', 'enabled'],
          'needs mail',
          'Set `mail.host` and `mail.from`: an invitation is a mail.',
        )
    },
  },
]
