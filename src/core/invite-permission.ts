import { isObject, ownValue, type Json } from './json/value.js'

/** The account data that says whose invites a user wants. SPEC: https://spec.matrix.org/v1.19/client-server-api/#invite-permission */
export const INVITE_PERMISSION = 'm.invite_permission_config'

/** Whether a user with this content of `m.invite_permission_config` wants no invites; whatever is not understood blocks nothing. */
export const blocksInvites = (content: Json | undefined): boolean =>
  isObject(content) && ownValue(content, 'default_action') === 'block'
