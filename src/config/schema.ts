import { Type } from 'typebox'
import type { ConfigOf } from './fields.js'
import { accounts } from './sections/accounts.js'
import { federation } from './sections/federation.js'
import { mail } from './sections/mail.js'
import { rooms } from './sections/rooms.js'
import { server } from './sections/server.js'

/** The whole configuration file. Types, checks and `config/homeserver.example.yaml` all come from here. */
export const ConfigSchema = Type.Object({ ...server, ...accounts, ...mail, ...rooms, ...federation })

/** A loaded configuration: every default filled in, paths absolute, durations in milliseconds, sizes in bytes; deeply frozen. */
export type Config = ConfigOf<typeof ConfigSchema>
