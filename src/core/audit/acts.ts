/**
 * What the audit log knows of, each with what it means for people who read the log. The vocabulary is closed: another kind of act is
 * a line here. Names are `noun.what_happened`.
 */
export const ACTS = {
  'session.opened': 'somebody signed in, or was given a session at registration',
  'session.refused': 'attempts to sign in failed; `times` says how many within a minute',
  'session.ended': 'somebody signed out, or a session was ended',
  'account.registered': 'an account was made',
  'account.deactivated': 'an account was closed for ever',
  'account.reactivated': 'a closed account was opened again, with another password',
  'account.renamed': 'an administrator set the display name of an account',
  'account.password_changed': 'the password of an account was set',
  'account.address_added': 'an e-mail address was bound to an account',
  'account.address_removed': 'an e-mail address was taken from an account',
  'account.locked': 'an account was locked',
  'account.unlocked': 'an account was unlocked',
  'account.suspended': 'an account may only read from now on',
  'account.unsuspended': 'an account may speak again',
  'account.admin_granted': 'an account was made that of an administrator',
  'account.admin_revoked': 'an account is no longer that of an administrator',
  'account.extended': 'the day on which an account expires was set',
  'account.renewed': 'somebody renewed their own account',
  'account.expired': 'an account expired',
  'account.moved': 'a step of the move of an account to another ministry',
  'account.invited': 'somebody from outside was invited by e-mail',
  'admin.called': 'an operation for administrators; `operation` says which',
  'second_factor.enrolled':
    'an administrator was given a second factor, for codes that confirm what is dangerous',
  'second_factor.removed': 'the second factor of an administrator was taken away',
  'second_factor.unlocked': 'codes of an administrator are taken again',
  'second_factor.refused': 'a code of an administrator was not taken; `reason` says why',
  'second_factor.locked': 'no code of an administrator is taken any more: too many were wrong',
  'operator.called': 'a command of whoever runs the machine; `operation` says which',
  'policy.refused': 'a rule of this node refused what a local user wanted',
  'room.blocked': 'nobody of this server comes into the room any more',
  'room.unblocked': 'people of this server may come into the room again',
  'room.shut_down': 'a room was closed, and its members of this server were removed',
  'event.redacted': 'a moderator took an event back',
  'media.quarantined': 'media are given to nobody any more',
  'media.released': 'media are given out again',
  'media.refused': 'media were refused by the content scanner',
  'report.filed': 'a user reported something to the moderators',
  'report.changed': 'a report was assigned, taken up, or closed',
  'policy_list.changed': 'a trusted list of banned users, rooms or servers has other entries',
  'data.exported': 'data left the node at the wish of an administrator or operator',
  'data.purged': 'data were deleted by the rules of retention, or at the wish of an administrator',
  'data.held': 'a legal hold was set or lifted',
  'key.rotated': 'another key signs for this server',
  'node_list.taken': 'another list of member nodes was taken',
  'node_list.refused': 'a list of member nodes was refused',
  'directory.searched': 'a member node searched the directory of this one',
  'audit.begun': 'the audit log began to be kept, or went on after a start',
  'audit.cut': 'entries of the audit log that are older than they must be kept were cut off',
  'audit.head_refused': 'the audit log of a member node does not go on from what it deposited here',
} as const

export type ActName = keyof typeof ACTS

export const isActName = (name: string): name is ActName => Object.hasOwn(ACTS, name)

/** A message to the administration bot, or a request. */
export type ActWay = 'bot' | 'http'

/** Who did it. */
export type Actor =
  | {
      readonly kind: 'user' | 'admin'
      /** The user id. */
      readonly id: string
      readonly device?: string | undefined
      /** By which way an administrator acts, where there are several. */
      readonly way?: ActWay | undefined
    }
  /** Whoever has the machine: the command line. */
  | { readonly kind: 'operator' }
  /** This server by itself; with an id, another one. */
  | { readonly kind: 'server'; readonly id?: string }
  | { readonly kind: 'appservice'; readonly id: string }

export const OPERATOR: Actor = { kind: 'operator' }
export const SERVER: Actor = { kind: 'server' }
export const userActor = (id: string, device?: string): Actor => ({ kind: 'user', id, device })
export const adminActor = (id: string, way?: ActWay): Actor => ({
  kind: 'admin',
  id,
  ...(way === undefined ? {} : { way }),
})

export type ActDetail = string | number | boolean | null

/** An act as whoever carries it out tells it: never with a secret, never with what people said. */
export interface Act {
  readonly act: ActName
  readonly by: Actor
  /** Whom or what it was done to: a user, media, an event, a server. */
  readonly on?: string | undefined
  /** The room id. */
  readonly room?: string | undefined
  /** `begun`, `done` (the default), or the errcode of the refusal. */
  readonly outcome?: string | undefined
  /** In words, as whoever acted gave it. */
  readonly reason?: string | undefined
  readonly requestId?: string | undefined
  readonly details?: Readonly<Record<string, ActDetail | undefined>> | undefined
}
