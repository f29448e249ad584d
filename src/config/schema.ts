import { Type } from 'typebox'
import type { ConfigOf } from './fields.js'
import { accounts } from './sections/accounts.js'
import { accountMoves } from './sections/account-moves.js'
import { accountValidity } from './sections/account-validity.js'
import { administration } from './sections/administration.js'
import { audit } from './sections/audit.js'
import { directory } from './sections/directory.js'
import { contentScanner } from './sections/content-scanner.js'
import { federation } from './sections/federation.js'
import { identity } from './sections/identity.js'
import { limits } from './sections/limits.js'
import { mail } from './sections/mail.js'
import { media } from './sections/media.js'
import { moderation } from './sections/moderation.js'
import { nodeList } from './sections/node-list.js'
import { ministry } from './sections/ministry.js'
import { notifications } from './sections/notifications.js'
import { previews } from './sections/previews.js'
import { rateLimits } from './sections/rate-limits.js'
import { retention } from './sections/retention.js'
import { rooms } from './sections/rooms.js'
import { server } from './sections/server.js'

/** The whole configuration file. Types, checks and `config/homeserver.example.yaml` all come from here. */
export const ConfigSchema = Type.Object({
  ...server,
  ...accounts,
  ...mail,
  ...identity,
  ...rooms,
  ...retention,
  ...rateLimits,
  ...media,
  ...contentScanner,
  ...limits,
  ...previews,
  ...notifications,
  ...federation,
  ...nodeList,
  ...audit,
  ...moderation,
  ...administration,
  ...accountValidity,
  ...accountMoves,
  ...directory,
  ...ministry,
})

/** A loaded configuration: every default filled in, paths absolute, durations in milliseconds, sizes in bytes; deeply frozen. */
export type Config = ConfigOf<typeof ConfigSchema>

/** What could be read of a configuration: a value at fault is missing. */
export type Readable<T> = T extends readonly (infer Item)[]
  ? readonly (Readable<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Readable<T[Key]> | undefined }
    : T
export type ReadableConfig = Readable<Config>
