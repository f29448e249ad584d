import { canonicalJson } from '../../../src/core/json/canonical.js'
import type { Json, JsonObject } from '../../../src/core/json/value.js'
import { CREATOR, IDENTITY_SERVERS, USERS } from './cast.js'
import { actor, membershipOf, target, usersWith, type Action, type Draft } from './scene.js'

const member = (
  intent: string,
  sender: string,
  stateKey: string,
  membership: Json,
  more: JsonObject = {},
): Draft => ({ intent, type: 'm.room.member', sender, stateKey, content: { membership, ...more } })

const join: Action = (scene) => {
  const user = target(scene, 'none', 'invite', 'leave')
  const allowed = usersWith(scene, 'join')
  if (scene.rules.restrictedJoin && allowed.length > 0 && scene.dice.chance(0.5)) {
    const authoriser = scene.dice.chance(0.8) ? scene.dice.pick(allowed) : scene.dice.pick(USERS)
    return member('join-restricted', user, user, 'join', { join_authorised_via_users_server: authoriser })
  }
  return member('join', user, user, 'join')
}
const rejoin: Action = (scene) => {
  const user = target(scene, 'join')
  return member('join', user, user, 'join', { displayname: `${user.slice(1, 4)} ${scene.size}` })
}
const leave: Action = (scene) => {
  const user = target(scene, 'join', 'invite', 'knock')
  return member('leave', user, user, 'leave')
}
const invite: Action = (scene) => member('invite', actor(scene), target(scene, 'none', 'leave'), 'invite')
const kick: Action = (scene) => member('kick', actor(scene), target(scene, 'join', 'invite'), 'leave')
const ban: Action = (scene) =>
  member('ban', actor(scene), target(scene, 'join', 'invite', 'leave', 'none'), 'ban')
const unban: Action = (scene) => member('unban', actor(scene), target(scene, 'ban'), 'leave')
const knock: Action = (scene) => {
  const user = target(scene, 'none', 'leave')
  return member('knock', user, user, 'knock')
}
const actForOther: Action = (scene) =>
  member('forced', actor(scene), scene.dice.pick(USERS), scene.dice.pick(['join', 'knock']))

const oddMember: Action = (scene) => {
  const user = actor(scene)
  const { dice } = scene
  return dice.weighted<() => Draft>([
    [1, () => member('odd-member', user, user, dice.pick<Json>(['', 'Join', 5, null, ['join'], {}]))],
    [1, () => ({ ...member('odd-member', user, user, 'join'), content: { displayname: 'x' } })],
    [1, () => {
      const { stateKey: _, ...rest } = member('odd-member', user, user, dice.pick(['join', 'leave']))
      return rest
    }],
    [1, () => member('odd-member', user, dice.pick(['', 'carol', '@', '@no-domain', '@:']), dice.pick(['invite', 'ban', 'leave']))],
    [1, () => member('odd-member', user, user, 'join', { join_authorised_via_users_server: dice.pick<Json>([5, 'x', '', null]) })],
  ])() // prettier-ignore
}

const TOKENS = ['token-1', 'token-2', 'token-3'] as const

const thirdPartyInvite: Action = (scene) => {
  const { dice } = scene
  const keys = dice.some(IDENTITY_SERVERS, 1 + dice.int(2)).map((server) => server.publicKey)
  const content: JsonObject = dice.weighted<JsonObject>([
    [4, { display_name: 'x…@y', key_validity_url: 'https://id.example/v', public_key: keys[0]! }],
    [4, { display_name: 'x', public_key: keys[0]!, public_keys: keys.map((public_key) => ({ public_key })) }],
    [2, { display_name: 'x', public_keys: keys.map((public_key) => ({ public_key })) }],
    [1, {}],
  ])
  const sender = actor(scene)
  return { intent: '3pid', type: 'm.room.third_party_invite', sender, stateKey: dice.pick(TOKENS), content }
}

/** An invite that shows the signature of an identity server, true or false in one of several ways. */
const inviteByThirdParty: Action = (scene) => {
  const { dice } = scene
  const open = TOKENS.filter((known) => scene.get('m.room.third_party_invite', known) !== undefined)
  if (open.length === 0 && dice.chance(0.8)) return thirdPartyInvite(scene)
  const token = open.length > 0 && dice.chance(0.95) ? dice.pick(open) : dice.pick(TOKENS)
  const issued = scene.get('m.room.third_party_invite', token)
  const sender = issued !== undefined && dice.chance(0.85) ? issued.sender : actor(scene)
  const invitee = target(scene, ...(dice.chance(0.15) ? ['ban'] : ['none', 'leave']))
  const mxid = dice.chance(0.9) ? invitee : dice.pick(USERS)
  const issuer = IDENTITY_SERVERS.find((server) => server.publicKey === issued?.content['public_key'])
  const signer = issuer !== undefined && dice.chance(0.8) ? issuer : dice.pick(IDENTITY_SERVERS)
  const message = { mxid, token: dice.chance(0.95) ? token : 'token-9' }
  const signature = signer.sign(canonicalJson(dice.chance(0.93) ? message : { mxid: CREATOR, token }))
  const signed: JsonObject = { ...message, signatures: { 'id.example': { 'ed25519:0': signature } } }
  const third: Json = dice.weighted<Json>([
    [18, { display_name: 'x', signed }],
    [1, { display_name: 'x' }],
    [1, 'x'],
    [1, { signed: { ...signed, mxid: null } }],
    [1, { signed: { token, mxid } }],
    [1, { signed: { mxid, signatures: signed['signatures']! } }],
  ])
  const more = { third_party_invite: third }
  return member(membershipOf(scene, sender) === 'join' ? '3pid-invite' : '3pid-invite-odd', sender, invitee, 'invite', more)
} // prettier-ignore

/** Membership changes, by weight. */
export const MEMBERSHIP_ACTIONS: readonly (readonly [number, Action])[] = [
  [14, join],
  [3, rejoin],
  [6, leave],
  [8, invite],
  [7, kick],
  [9, ban],
  [4, unban],
  [4, knock],
  [2, actForOther],
  [2, oddMember],
  [2, thirdPartyInvite],
  [6, inviteByThirdParty],
]
