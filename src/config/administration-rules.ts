import { isStrictLocalpart } from '../core/ids/user-id.js'
import type { Rule } from './rule.js'

const MIN_SECRET = 32

/** What may be wrong together in the sections for administrators. */
export const ADMINISTRATION_RULES: readonly Rule[] = [
  {
    reads: ['admin_bot', 'second_factor.secret', 'server_notices.localpart', 'server_name'],
    look(
      { admin_bot: bot, second_factor: factor, server_notices: notices, server_name: serverName },
      report,
    ) {
      const { localpart } = bot
      if (localpart === undefined) return
      if (!isStrictLocalpart(localpart))
        report(
          ['admin_bot', 'localpart'],
          'is no name of an account',
          'Use the letters a–z, digits and the characters . _ = - / +.',
        )
      if (localpart === notices.localpart)
        report(['admin_bot', 'localpart'], 'is that of `server_notices` too', 'Choose another name.')
      if (factor.secret === undefined)
        report(
          ['second_factor', 'secret'],
          'is missing',
          'Without it nobody can confirm what is dangerous. Add it, or take `admin_bot.localpart` away.',
        )
      for (const [index, userId] of bot.people.entries())
        if (!userId.endsWith(`:${serverName}`))
          report(
            ['admin_bot', 'people', index],
            'is no user of this server',
            'Administrators of a server are users of it.',
          )
    },
  },
  {
    reads: ['second_factor'],
    look({ second_factor: factor }, report) {
      if (factor.secret !== undefined && factor.secret.length < MIN_SECRET)
        report(['second_factor', 'secret'], 'can be guessed', `Use at least ${MIN_SECRET} random characters.`)
      if (factor.guards_tools && factor.secret === undefined)
        report(
          ['second_factor', 'guards_tools'],
          'asks for codes that nobody can have',
          'Set `second_factor.secret`.',
        )
    },
  },
]
