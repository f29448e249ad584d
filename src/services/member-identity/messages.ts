/** The mail to somebody who was invited. No text of a user is in it, so that nobody speaks to strangers in this server's name. */
export const invitationMail = (mail: {
  /** What people call the server of whoever invites. */
  readonly from: string
  readonly server: string
  readonly registerUrl: string | undefined
  readonly address: string
  readonly days: number
}): { readonly subject: string; readonly text: string } => ({
  subject: `${mail.from} invites you to a conversation`,
  text: `${[
    `Somebody of ${mail.from} has invited you to a conversation.`,
    mail.registerUrl === undefined
      ? `To take part, make an account on the server ${mail.server} with this e-mail address, ${mail.address}, in any Matrix client.`
      : `To take part, make an account with this e-mail address, ${mail.address}:`,
    ...(mail.registerUrl === undefined ? [] : [mail.registerUrl]),
    `The invitation then waits for you there. It is for this address alone, and for ${mail.days} days.`,
    'If you know of nobody there who would write to you, ignore this message.',
  ].join('\n\n')}\n`,
})
