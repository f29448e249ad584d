/**
 * What a hostile or broken peer does to this server. Each item has a test of this folder that carries its number, or is held elsewhere, by
 * a test that is named here. `items.test.ts` fails for an item without either.
 */
export interface Item {
  readonly does: string
  /** File and title of a test outside of this folder. */
  readonly heldBy?: readonly (readonly [file: string, title: string])[]
}

const federation = 'src/services/federation'
const replication = 'src/services/replication'

export const ITEMS: Readonly<Record<string, Item>> = {
  // Transport and discovery
  G1: { does: 'asks without a signature, in another scheme, unreadably, or with two headers' },
  G2: { does: 'sends what is meant for another server, or does not say for whom' },
  G3: { does: 'speaks in the name of another server, of this one, or of one that is not allowed' },
  G4: { does: 'names a key that nobody can be asked for, from many requests at once' },
  G5: {
    does: 'publishes keys that are over, reused, unsafe, of a wrong length, banned, or of another server',
  },
  G6: {
    does: 'delegates its name with large, circular, private, unreadable or everlasting documents',
    heldBy: [
      [`${federation}/discovery.test.ts`, 'is read, through redirects to other hosts too'],
      [`${federation}/discovery.test.ts`, 'is asked for less and less often while it fails, up to an hour'],
      [`${federation}/discovery.test.ts`, 'outlives failures to confirm it, but not by more than two days'],
    ],
  },
  G7: {
    does: 'has DNS name a thousand places, private ones, or another place a moment later',
    heldBy: [
      [`${federation}/discovery.test.ts`, 'passes over hostile SRV records, and goes nowhere when no other is left'],
      [`${federation}/client.test.ts`, 'is the one that was checked: a name that resolves otherwise the next moment gains nothing'],
      [`${federation}/client.test.ts`, 'is refused where the policy refuses it, as a literal and as what a name resolves to'],
    ],
  }, // prettier-ignore
  G8: { does: 'answers without end, with too much, or a byte at a time' },
  G9: { does: 'answers transactions with HTML, a redirect, a refusal, or asks for a pause of 30,000 years' },
  G10: {
    does: 'names one server after the other that never answers for its keys',
    heldBy: [[`${federation}/request-auth.test.ts`, 'have few servers asked at once for one address, and others for another']],
  }, // prettier-ignore
  G11: {
    does: 'comes under another spelling of its name when it was denied',
    heldBy: [
      [`${federation}/peers.test.ts`, 'that are denied come by no other spelling of their name either'],
    ],
  },
  G12: {
    does: 'refuses all that it is sent as malformed for a while, or one thing for ever',
    heldBy: [
      [`${replication}/sending/sender.test.ts`, 'gives nothing up where everything is refused with %i for a while'],
      [`${replication}/sending/sender.test.ts`, 'keeps the last item that is refused, and gives it up when what comes after it is taken'],
    ],
  }, // prettier-ignore
  // Events as such
  H1: { does: 'sends more events or ephemeral ones in a transaction than are allowed' },
  H2: { does: 'sends a bad event among many good ones' },
  H3: { does: 'leaves fields of events out, or gives them other types' },
  H4: { does: 'sends an event that is too large' },
  H5: { does: 'sends too many, repeated or unknown predecessors and auth events' },
  H6: { does: 'signs nothing, with another key, for another server, in no base64, or a thousand times' },
  H7: { does: 'claims the id of another event' },
  H8: { does: 'adds unsigned data that clients believe' },
  H9: { does: 'sends numbers that have no canonical form' },
  H10: { does: 'changes an event after its hash was made' },
  H11: {
    does: 'is slow to say what its events stand on, in two dozen rooms at once',
    heldBy: [
      [`${replication}/receiving/drain.test.ts`, 'holds up no other, in however many rooms it speaks'],
    ],
  },
  // Authorisation and state
  I1: { does: 'names auth events that are missing, repeated, too many, rejected, or of another room' },
  I2: { does: 'makes a second create event, or names the create event where the room version forbids it' },
  I3: { does: 'goes on speaking from before it was banned' },
  I4: { does: 'joins a restricted room on a word that nobody here gave' },
  I5: {
    does: 'forges the proof of an invitation by address',
    heldBy: [['src/core/auth/third-party-invite.test.ts', '*']],
  },
  I6: { does: 'enters a room that is for this server alone' },
  I7: { does: 'builds a long chain of changes of power, and conflicts over it' },
  I8: { does: 'leaves hundreds of loose ends in a room' },
  I9: { does: 'speaks in a room that is damaged in the database of this server' },
  // Membership
  J1: { does: 'sends another event than the join, leave or knock that it was given' },
  J2: { does: 'gives a template that would have this server sign something else' },
  J3: { does: 'has this server sign what is no invite of one of its users' },
  J4: {
    does: 'floods a user with invites, or invites from a server that is shut out',
    heldBy: [[`${replication}/handshakes/handshakes.test.ts`, 'is refused where the user has a hundred of that server that are unanswered']],
  }, // prettier-ignore
  J5: { does: 'invites and is gone before the answer' },
  J6: { does: 'is dead, and named first as a way into a room' },
  J7: { does: 'sends events of a room that all users here have left' },
  J8: { does: 'lies about a room in its answer to a join' },
  // Reads
  K1: { does: 'asks for an event through a room that it is in, which is in another' },
  K2: { does: 'reads what was said before it came' },
  K3: { does: 'asks for events that were rejected, and for those that soft-failed' },
  K4: {
    does: 'fills the history with rejected events',
    heldBy: [
      [
        `${replication}/serving/serve-reads.test.ts`,
        'bound backfill, and go through events that were refused',
      ],
    ],
  },
  K5: { does: 'asks for rooms, aliases and profiles with hostile filters and names' },
  K6: { does: 'goes on in a room whose list of servers shuts it out, under a name in other letters' },
  // Ephemeral events
  L1: { does: 'types, reads, is present, has devices and messages in the name of users of other servers' },
  L2: {
    does: 'sends receipts for nothing, for others, and from the future',
    heldBy: [
      ['spec-tests/hostile/receipts-of-peers.test.ts', 'with the time %j counts as read now at the latest'],
    ],
  },
  L3: { does: 'tells of device lists with gaps, replays and huge numbers' },
  L4: { does: 'sends the same message to a device again, and to devices that are not there' },
  // What it answers when it is asked
  R1: { does: 'lies about profiles' },
  R2: { does: 'lies about devices and keys of users, its own and those of others' },
  R3: { does: 'lies about the rooms of a space' },
  R4: { does: 'lies about the event next to a moment' },
  R5: { does: 'lies about history' },
  R6: { does: 'lies about missing events and the state between them' },
  R7: { does: 'lies about aliases and public rooms' },
  R8: { does: 'lies about media' },
  // A member of the node list that holds to none of its rules
  M1: { does: 'breaks the access rules of a room, with innocent events on top' },
  M2: { does: 'makes a direct room one of three' },
  M3: { does: 'hands over a state in which an access rule is broken' },
  M4: { does: 'brings external people in by handshakes of its own' },
  M5: { does: 'redeems invitations of addresses for external people' },
  M6: { does: 'looks for people who hide, in the name of others' },
  M7: { does: 'lies about people in the directory' },
  M8: { does: 'leaves audit heads of others, or rewrites its own' },
  M9: {
    does: 'replays an older list, another one of the same number, or one of another circle',
    heldBy: [
      ['src/core/node-list/judge-node-list.test.ts', 'never goes back: an older list is refused, however well it is signed'],
      ['src/services/node-list/node-list.test.ts', 'refuses an older list after a restart too'],
    ],
  }, // prettier-ignore
  M10: {
    does: 'keeps, takes back and looks up invitations in the name of others',
    heldBy: [
      ['src/services/member-identity/member-identity.test.ts', 'is refused to a member that names %s'],
      ['src/services/member-identity/member-identity.test.ts', 'is over when its sender’s server takes it back, and no other'],
      ['src/services/member-identity/member-identity.test.ts', 'takes the word of a member for its own users alone'],
      ['src/http/server-server/identity/identity.test.ts', 'is told to nobody else'],
    ],
  }, // prettier-ignore
  M11: {
    does: 'forges receipts of purges, or has others purge',
    heldBy: [
      ['src/services/retention/purge-notices.test.ts', 'takes no receipt %s'],
      ['src/services/retention/purge-notices.test.ts', 'never makes another node delete what is not too old there, whatever the record says'],
      ['src/services/retention/purge-notices.test.ts', 'is taken from members in the room alone, with their own signature'],
    ],
  }, // prettier-ignore
  M12: {
    does: 'has a name or addresses that look like those of another',
    heldBy: [
      ['src/core/node-list/parse-node-list.test.ts', 'warns of names that look alike, and of members without keys'],
      ['src/core/address-gate.test.ts', 'never has an address whose last domain is not one of ours, whatever stands before it'],
    ],
  }, // prettier-ignore
  M13: {
    does: 'goes on when it is no member any more',
    heldBy: [['spec-tests/server-server/node-list.test.ts', 'talk to nobody without it, to members with it, and to none who left, until they are back']],
  }, // prettier-ignore
}
