import type { JsonObject } from './json.js'
import type { Amendment } from './overlay.js'

/**
 * What the prose says and the definitions do not: most of them require nothing of an answer that a client cannot do without,
 * and let an empty answer be anything.
 */

const ok = (operation: string, rest: Omit<Amendment, 'operation' | 'status'>): Amendment => ({
  operation,
  status: 200,
  ...rest,
})
const require = (operation: string, names: readonly string[], at: readonly string[] = []): Amendment =>
  ok(operation, { require: names, at })

/** Operations whose answer says no more than that they were done. */
const EMPTY = [
  'setAccountData',
  'setAccountDataPerRoom',
  'add3PID',
  'bind3PID',
  'post3PIDs',
  'updateAppserviceRoomDirectoryVisibility',
  'ban',
  'unban',
  'kick',
  'inviteUser',
  'inviteBy3PID',
  'leaveRoom',
  'forgetRoom',
  'uploadContentToMXC',
  'uploadCrossSigningKeys',
  'updateDevice',
  'deleteDevice',
  'deleteDevices',
  'setRoomAlias',
  'deleteRoomAlias',
  'putRoomKeysVersion',
  'deleteRoomKeysVersion',
  'setRoomVisibilityOnDirectory',
  'logout',
  'logout_all',
  'changePassword',
  'setPresence',
  'setProfileField',
  'deleteProfileField',
  'postPusher',
  'setPushRule',
  'deletePushRule',
  'setPushRuleEnabled',
  'setPushRuleActions',
  'setReadMarker',
  'postReceipt',
  'setRoomTag',
  'deleteRoomTag',
  'sendToDevice',
  'setTyping',
  'reportEvent',
  'reportRoom',
  'reportUser',
]

const RULE_KINDS = ['content', 'override', 'room', 'sender', 'underride']

/** What clients read of each event that they are given. */
const EVENT: JsonObject = { required: ['content', 'type'] }
const TIMELINE_EVENT: JsonObject = {
  required: ['content', 'type', 'event_id', 'sender', 'origin_server_ts'],
}
const JOINED = ['rooms', 'join', '*']
const LEFT = ['rooms', 'leave', '*']
const ID_LIST = (pattern: string): JsonObject => ({ type: 'array', items: { type: 'string', pattern } })

const TO_DEVICE_EVENTS: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['content', 'type', 'sender'],
    properties: {
      content: { type: 'object' },
      type: { type: 'string' },
      sender: { type: 'string', pattern: '^@.+:.+' },
    },
  },
}

/** `device_unused_fallback_key_types` stands in the prose of end-to-end encryption alone. */
const SYNC: readonly Amendment[] = [
  ok('sync', {
    properties: { device_unused_fallback_key_types: { type: 'array', items: { type: 'string' } } },
    require: ['device_one_time_keys_count', 'device_unused_fallback_key_types'],
  }),
  ok('sync', { put: { minLength: 1 }, at: ['next_batch'] }),
  ok('sync', { put: EVENT, at: ['account_data', 'events', '[]'] }),
  ok('sync', { put: { required: ['events'], properties: { events: TO_DEVICE_EVENTS } }, at: ['to_device'] }),
  ok('sync', {
    put: { required: ['content', 'type', 'sender'] },
    properties: { sender: { type: 'string', pattern: '^@' } },
    because: 'the schema of m.presence has a sender, the one of all events has none',
    at: ['presence', 'events', '[]'],
  }),
  ok('sync', { put: { properties: { changed: ID_LIST('^@'), left: ID_LIST('^@') } }, at: ['device_lists'] }),
  ok('sync', { require: ['timeline'], at: JOINED }),
  ...[JOINED, LEFT].flatMap((room) => [
    ok('sync', { require: ['events'], at: [...room, 'timeline'] }),
    ok('sync', { put: TIMELINE_EVENT, at: [...room, 'timeline', 'events', '[]'] }),
    ok('sync', {
      put: { required: [...(TIMELINE_EVENT['required'] as string[]), 'state_key'] },
      at: [...room, 'state', 'events', '[]'],
    }),
    ok('sync', { put: EVENT, at: [...room, 'account_data', 'events', '[]'] }),
  ]),
  ok('sync', { put: EVENT, at: [...JOINED, 'ephemeral', 'events', '[]'] }),
  ok('sync', {
    require: ['notification_count', 'highlight_count'],
    at: [...JOINED, 'unread_notifications'],
  }),
  ok('sync', {
    require: ['notification_count', 'highlight_count'],
    at: [...JOINED, 'unread_thread_notifications', '*'],
  }),
  ...[
    ['rooms', 'invite', '*', 'invite_state'],
    ['rooms', 'knock', '*', 'knock_state'],
  ].map((at) =>
    ok('sync', {
      properties: { event_id: { type: 'string', pattern: '^\\$' }, origin_server_ts: { type: 'integer' } },
      at: [...at, 'events', '[]'],
      because: 'the stripped membership event has its id and its time, by which clients sort invites',
    }),
  ),
  ok('sync', { require: ['invite_state'], at: ['rooms', 'invite', '*'] }),
  ok('sync', { require: ['events'], at: ['rooms', 'invite', '*', 'invite_state'] }),
  ok('sync', { require: ['knock_state'], at: ['rooms', 'knock', '*'] }),
  ok('sync', { require: ['events'], at: ['rooms', 'knock', '*', 'knock_state'] }),
]

const between = (operation: string, rest: Omit<Amendment, 'operation' | 'status'>): Amendment => ({
  ...ok(operation, rest),
  api: 'server-server',
})
/** What every event has between servers, whatever the version of its room. */
const PDU: JsonObject = {
  type: 'object',
  required: [
    ...['auth_events', 'content', 'depth', 'hashes', 'origin_server_ts', 'prev_events'],
    ...['sender', 'signatures', 'type'],
  ],
}
const TEMPLATE: JsonObject = {
  required: ['type', 'sender', 'state_key', 'content', 'room_id', 'depth', 'prev_events', 'auth_events'],
}

const BETWEEN_SERVERS: readonly Amendment[] = [
  ...['makeJoin', 'makeKnock', 'makeLeave'].flatMap((operation) => [
    between(operation, { require: ['room_version', 'event'] }),
    between(operation, { put: TEMPLATE, at: ['event'] }),
  ]),
  ...(
    [
      ['getEvent', ['pdus', '[]']],
      ['backfillRoom', ['pdus', '[]']],
      ['getMissingPreviousEvents', ['events', '[]']],
      ['getRoomState', ['pdus', '[]']],
      ['getRoomState', ['auth_chain', '[]']],
      ['getEventAuth', ['auth_chain', '[]']],
      ['sendJoinV2', ['state', '[]']],
      ['sendJoinV2', ['auth_chain', '[]']],
    ] as const
  ).map(([operation, at]) => between(operation, { put: { allOf: [PDU] }, at })),
  ...['sendLeaveV2', 'exchangeThirdPartyInvite', 'onBindThirdPartyIdentifier'].map((operation) =>
    between(operation, { closed: true }),
  ),
  ...['perspectivesKeyQuery', 'bulkPerspectivesKeyQuery'].map((operation) =>
    between(operation, { require: ['server_keys'] }),
  ),
  between('getServerKey', { put: { minProperties: 1 }, at: ['verify_keys'] }),
  between('getVersion', { require: ['server'] }),
  between('getVersion', { require: ['name', 'version'], at: ['server'] }),
  between('getWellKnown', { require: ['m.server'] }),
  ...(
    [
      ['sendInviteV1', ['[]', 'event']],
      ['sendInviteV2', ['event']],
    ] as const
  ).map(([operation, at]): Amendment => ({
    ...ok(operation, { at, optional: ['origin'] }),
    api: 'server-server',
    because: 'events have had no `origin` since room version 11, and nobody reads it',
  })),
  {
    ...ok('sendJoinV2', { properties: { origin: { type: 'string' } } }),
    api: 'server-server',
    because: 'older servers look for it',
  },
]

export const tightening: readonly Amendment[] = [
  ...BETWEEN_SERVERS,
  ...EMPTY.map((operation) => ok(operation, { closed: true })),
  ...SYNC,
  // Clients cannot use an answer without these.
  require('getWhoIs', ['user_id', 'devices']),
  require('getAccount3PIDs', ['threepids']),
  require('getDevices', ['devices']),
  require('getRoomIdByAlias', ['room_id', 'servers']),
  ok('getRoomIdByAlias', { put: { minItems: 1 }, at: ['servers'] }),
  require('getEventContext', ['start', 'end', 'events_before', 'event', 'events_after', 'state']),
  require('getRoomVisibilityOnDirectory', ['visibility']),
  require('getLoginFlows', ['flows']),
  require('queryKeys', ['device_keys']),
  ok('claimKeys', {
    properties: { fallback: { type: 'boolean' } },
    at: ['one_time_keys', '*', '*', '*'],
    because: 'the prose of fallback keys has it',
  }),
  require('getKeysChanges', ['changed', 'left']),
  ok('getKeysChanges', { put: ID_LIST('^@'), at: ['changed'] }),
  ok('getKeysChanges', { put: ID_LIST('^@'), at: ['left'] }),
  require('getPushers', ['pushers']),
  require('redactEvent', ['event_id']),
  require('checkUsernameAvailability', ['available']),
  require('getMembersByRoom', ['chunk']),
  require('getJoinedMembersByRoom', ['joined']),
  ok('getJoinedMembersByRoom', {
    put: { type: ['string', 'null'] },
    at: ['joined', '*', 'avatar_url'],
    because: 'every server gives null where there is no avatar, and programs look for the key',
  }),
  require('getRoomTags', ['tags']),
  require('getEvents', ['chunk', 'start', 'end']),
  require('peekEvents', ['chunk', 'start', 'end']),
  require('getPushRulesGlobal', RULE_KINDS),
  require('getPushRules', RULE_KINDS, ['global']),
  require('search', ['results'], ['search_categories', 'room_events']),
  require('uploadCrossSigningSignatures', ['failures']),
  ok('getVersions', {
    put: { minItems: 1, items: { type: 'string', pattern: '^(r0\\.|v1\\.)' } },
    at: ['versions'],
  }),
  ok('getJoinedRooms', { put: ID_LIST('^!'), at: ['joined_rooms'] }),
  ok('getLocalAliases', { put: ID_LIST('^#'), at: ['aliases'] }),
  ok('createRoom', { put: { pattern: '^!' }, at: ['room_id'] }),
  ok('joinRoom', { put: { pattern: '^!' }, at: ['room_id'] }),
  ok('joinRoomById', { put: { pattern: '^!' }, at: ['room_id'] }),
  ok('knockRoom', { put: { pattern: '^!' }, at: ['room_id'] }),
  ok('upgradeRoom', { put: { pattern: '^!' }, at: ['replacement_room'] }),
  ok('sendMessage', { put: { pattern: '^\\$' }, at: ['event_id'] }),
  ok('setRoomStateWithKey', { put: { pattern: '^\\$' }, at: ['event_id'] }),
  ok('redactEvent', { put: { pattern: '^\\$' }, at: ['event_id'] }),
  ok('uploadContent', { put: { pattern: '^mxc://[^/]+/[^/]+$' }, at: ['content_uri'] }),
  ok('createContent', { put: { pattern: '^mxc://[^/]+/[^/]+$' }, at: ['content_uri'] }),
  ok('uploadKeys', {
    put: { additionalProperties: { type: 'integer', minimum: 0 } },
    at: ['one_time_key_counts'],
  }),
  ...['getRoomKeysVersionCurrent', 'getRoomKeysVersion'].map((operation) =>
    ok(operation, {
      drop: ['enum'],
      at: ['algorithm'],
      because: 'clients choose the algorithm; a server has no use for it and keeps those of experiments too',
    }),
  ),
  ok('getTurnServer', {
    optional: ['username', 'password', 'uris', 'ttl'],
    because:
      'servers without a TURN server say so with an empty object; clients take an error for a fault and ask again',
  }),
  ok('getRoomStateWithKey', {
    put: { oneOf: [{ type: 'object' }] },
    because: 'the content of an event is whatever its sender wrote; with format=event the event is around it',
  }),
]
