/** What differs between room versions, as data. SPEC: https://spec.matrix.org/v1.19/rooms/ */
export type RoomVersion =
  | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '10' | '11' | '12' // prettier-ignore
  | 'org.matrix.msc3757.10' | 'org.matrix.msc3757.11' // prettier-ignore

export interface RoomVersionRules {
  readonly id: RoomVersion
  readonly stable: boolean
  /** `event_id` on the wire, or computed from the reference hash (standard or URL-safe base64). */
  readonly eventIds: 'on-the-wire' | 'hash' | 'hash-url-safe'
  /** Room ids are `!opaque:domain`, or `!` + the create event's reference hash. */
  readonly roomIds: 'opaque' | 'create-hash'
  readonly stateResolution: 'v1' | 'v2' | 'v2.1'
  /** Integers only, within ±(2^53−1), anywhere in an event. */
  readonly strictCanonicalJson: boolean
  readonly enforceKeyValidity: boolean
  /** The server of the event id's domain must sign too. */
  readonly signedByEventIdDomain: boolean
  readonly aliasesAuthRule: boolean
  /** Redactions are judged by the auth rules (v1, v2); later versions judge them on receipt. */
  readonly redactionAuthRule: boolean
  readonly powerLevels: 'lenient' | 'integers-or-strings' | 'integers'
  readonly limitNotificationsPowerLevels: boolean
  readonly knock: boolean
  readonly restrictedJoin: boolean
  readonly knockRestricted: boolean
  /** Who the creator is: `content.creator`, the create event's sender, or sender and additional creators with unlimited power. */
  readonly creator: 'content' | 'sender' | 'privileged'
  readonly redaction: 'v1' | 'v6' | 'v8' | 'v9' | 'v11'
  /** `redacts` at the top level of the event, or in its content. */
  readonly redactsIn: 'event' | 'content'
  /** A state key of a user id, `_` and more is that user's; whoever has more power than they may set what is theirs (MSC3757). */
  readonly ownedState: boolean
}
