import type { Config } from '../config/schema.js'
import { createAdminBot, type AdminBot, type AdminBotDeps } from '../services/admin-bot/admin-bot.js'

/** The administration bot; undefined where the configuration gives it no name. */
export function buildAdminBot({
  config,
  ...deps
}: Omit<AdminBotDeps, 'options'> & { readonly config: Config }): AdminBot | undefined {
  const { localpart, display_name: displayName, room_name: roomName, people } = config.admin_bot
  if (localpart === undefined) return undefined
  return createAdminBot({
    ...deps,
    options: {
      ...{ displayName, roomName, people },
      userId: `@${localpart}:${config.server_name}`,
      confirmWithinMs: config.admin_bot.confirm_within,
      secretsShownMs: config.admin_bot.passwords_shown,
    },
  })
}
