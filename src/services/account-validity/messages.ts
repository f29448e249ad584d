const paragraphs = (...parts: readonly string[]): string => `${parts.join('\n\n')}\n`

/** Before the day, or after it: whoever asks for the mail once more. No text of a user is in it. */
export function renewalMail(
  server: string,
  userId: string,
  expiresTs: number,
  now: number,
  link: string,
): { readonly subject: string; readonly text: string } {
  const day = new Date(expiresTs).toISOString().slice(0, 10)
  const isOver = expiresTs <= now
  return {
    subject: isOver ? `Your account on ${server} has expired` : `Your account on ${server} expires on ${day}`,
    text: paragraphs(
      isOver
        ? `Your account ${userId} expired on ${day} and cannot be used until you renew it.`
        : `Your account ${userId} expires on ${day}. If you still need it, renew it before.`,
      'To renew it, open this link and press the button:',
      link,
      'If you do not need the account any more, do nothing.',
    ),
  }
}
