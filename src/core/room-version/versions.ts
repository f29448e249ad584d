import type { RoomVersionRules } from './rules.js'

// Each room version is the one before it and what its page in the specification changes.
// SPEC: https://spec.matrix.org/v1.19/rooms/

const v1: RoomVersionRules = {
  id: '1',
  stable: true,
  eventIds: 'on-the-wire',
  roomIds: 'opaque',
  stateResolution: 'v1',
  strictCanonicalJson: false,
  enforceKeyValidity: false,
  signedByEventIdDomain: true,
  aliasesAuthRule: true,
  redactionAuthRule: true,
  powerLevels: 'lenient',
  limitNotificationsPowerLevels: false,
  knock: false,
  restrictedJoin: false,
  knockRestricted: false,
  creator: 'content',
  redaction: 'v1',
  redactsIn: 'event',
  ownedState: false,
}
const v2: RoomVersionRules = { ...v1, id: '2', stateResolution: 'v2' }
const v3: RoomVersionRules = {
  ...v2,
  id: '3',
  eventIds: 'hash',
  signedByEventIdDomain: false,
  redactionAuthRule: false,
}
const v4: RoomVersionRules = { ...v3, id: '4', eventIds: 'hash-url-safe' }
const v5: RoomVersionRules = { ...v4, id: '5', enforceKeyValidity: true }
const v6: RoomVersionRules = {
  ...v5,
  id: '6',
  strictCanonicalJson: true,
  powerLevels: 'integers-or-strings',
  aliasesAuthRule: false,
  limitNotificationsPowerLevels: true,
  redaction: 'v6',
}
const v7: RoomVersionRules = { ...v6, id: '7', knock: true }
const v8: RoomVersionRules = { ...v7, id: '8', restrictedJoin: true, redaction: 'v8' }
const v9: RoomVersionRules = { ...v8, id: '9', redaction: 'v9' }
const v10: RoomVersionRules = { ...v9, id: '10', powerLevels: 'integers', knockRestricted: true }
const v11: RoomVersionRules = {
  ...v10,
  id: '11',
  creator: 'sender',
  redaction: 'v11',
  redactsIn: 'content',
}
const v12: RoomVersionRules = {
  ...v11,
  id: '12',
  roomIds: 'create-hash',
  creator: 'privileged',
  stateResolution: 'v2.1',
}

/** The room versions of the specification, oldest first. */
export const ROOM_VERSIONS: ReadonlyMap<string, RoomVersionRules> = new Map(
  [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12].map((rules) => [rules.id, Object.freeze(rules)]),
)

/** NOTSPEC: versions of proposals. Rooms are of them only where somebody asks for it by name. */
export const PROPOSED_ROOM_VERSIONS: ReadonlyMap<string, RoomVersionRules> = new Map(
  [
    { ...v10, id: 'org.matrix.msc3757.10', stable: false, ownedState: true } as const,
    { ...v11, id: 'org.matrix.msc3757.11', stable: false, ownedState: true } as const,
  ].map((rules) => [rules.id, Object.freeze(rules)]),
)

/** All that this server knows: it can be in rooms of these. */
export const KNOWN_ROOM_VERSIONS: ReadonlyMap<string, RoomVersionRules> = new Map([
  ...ROOM_VERSIONS,
  ...PROPOSED_ROOM_VERSIONS,
])

/** The rules of a room version, or undefined for one that this server does not know. */
export function roomVersion(id: string): RoomVersionRules | undefined {
  return KNOWN_ROOM_VERSIONS.get(id)
}
