import type { JsonObject } from '../../core/json/value.js'

export type Preset = 'private_chat' | 'trusted_private_chat' | 'public_chat'

/** The preset of a room for which the client names none. */
export const presetOf = ({ preset, visibility }: Pick<CreateRoomInput, 'preset' | 'visibility'>): Preset =>
  preset ?? (visibility === 'public' ? 'public_chat' : 'private_chat')

/** What a client may ask for. SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom */
export interface CreateRoomInput {
  readonly visibility?: 'public' | 'private'
  readonly room_alias_name?: string
  readonly name?: string
  readonly topic?: string
  readonly invite?: readonly string[]
  readonly invite_3pid?: readonly {
    readonly id_server: string
    readonly id_access_token: string
    readonly medium: string
    readonly address: string
  }[]
  readonly room_version?: string
  readonly creation_content?: JsonObject
  readonly initial_state?: readonly { type: string; state_key?: string; content: JsonObject }[]
  readonly preset?: Preset
  readonly is_direct?: boolean
  readonly power_level_content_override?: JsonObject
}
