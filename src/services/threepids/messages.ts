/** What is written to people. No text of a user or a stranger is in it, so that nobody can speak in this server's name. */
export interface MailText {
  readonly subject: string
  readonly text: string
}

const paragraphs = (...parts: readonly string[]): string => `${parts.join('\n\n')}\n`

const NOT_ASKED = 'If you did not ask for this, ignore this message: nothing has happened, and nothing will.'

export const proofMail = (purpose: 'register' | 'add' | 'reset', server: string, link: string): MailText => {
  const wish = {
    register: `Somebody, hopefully you, is making an account on ${server} with this e-mail address.`,
    add: `Somebody, hopefully you, wants to add this e-mail address to an account on ${server}.`,
    reset: `Somebody, hopefully you, wants a new password for your account on ${server}.`,
  }[purpose]
  return {
    subject: purpose === 'reset' ? `New password on ${server}` : `Confirm your e-mail address for ${server}`,
    text: paragraphs(wish, 'To confirm, open this link and press the button:', link, NOT_ASKED),
  }
}

/** Instead of an error that would tell a stranger who has an account. */
export const inUseMail = (server: string): MailText => ({
  subject: `You have an account on ${server} already`,
  text: paragraphs(
    `Somebody, hopefully you, wanted to use this e-mail address for an account on ${server}.`,
    'There is an account with this address already. If you forgot its password, ask for a new one in your client.',
    NOT_ASKED,
  ),
})

/** Likewise. */
export const uninvitedMail = (server: string): MailText => ({
  subject: `No invitation to ${server} yet`,
  text: paragraphs(
    `Somebody, hopefully you, wanted to make an account on ${server} with this e-mail address.`,
    'Accounts there are for those whom somebody of the administration has invited, and this address was not invited, or the invitation has run out. Ask whoever you work with to invite you once more.',
    NOT_ASKED,
  ),
})

/** Likewise. */
export const unknownMail = (server: string): MailText => ({
  subject: `No account on ${server} has this address`,
  text: paragraphs(
    `Somebody, hopefully you, wanted a new password for an account on ${server} with this e-mail address.`,
    'No account there has this address. Perhaps you used another one, or none.',
    NOT_ASKED,
  ),
})
