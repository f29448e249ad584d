import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '../platform/clock.js'
import { createSigner, generateSigningKey } from '../platform/ed25519.js'
import { silentLogger } from '../platform/logger.js'
import { createNotifier } from '../platform/notifier.js'
import { systemRandom } from '../platform/random.js'
import { createRoomCreation, type RoomCreation } from '../services/rooms/create-room.js'
import type { Memberships } from '../services/rooms/membership.js'
import { openTestStore } from '../storage/testing.js'
import type { Store } from '../storage/tx.js'
import { buildRooms } from './rooms.js'

const ALICE = {
  userId: '@alice:b',
  deviceId: 'D',
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
}

let store: Store
let creation: RoomCreation
let now = 1_700_000_000_000

beforeAll(async () => {
  store = await openTestStore()
  const signer = createSigner(generateSigningKey(systemRandom))
  const { context } = buildRooms({
    store,
    // A clock that stands still: everything happens in one millisecond.
    clock: { ...systemClock, now: () => now },
    random: systemRandom,
    logger: silentLogger,
    notifier: createNotifier(),
    serverName: 'b',
    signer: { serverName: 'b', keyId: signer.keyId, sign: signer.sign },
    defaultRoomVersion: '12',
    memberHooks: { *remoteUsersLeft() {}, *roomLeft() {}, *localUserJoined() {} },
    wakeSender: () => undefined,
  })
  const memberships = { checkInvitees: () => Promise.resolve() } as unknown as Memberships
  creation = createRoomCreation({
    context,
    memberships,
    addressInvites: {} as never,
    memberProfile: () => Promise.resolve({}),
  })
})
afterAll(() => store.close())

describe('rooms that one user makes in the same millisecond', () => {
  it.each(['11', '12'])('of version %s are different rooms', async (room_version) => {
    const made = await Promise.all(Array.from({ length: 10 }, () => creation.create(ALICE, { room_version })))
    expect(new Set(made.map((room) => room.room_id)).size).toBe(10)
  })

  it('are so after the clock was set back, too', async () => {
    now -= 3_600_000
    const made = await Promise.all([creation.create(ALICE, {}), creation.create(ALICE, {})])
    expect(made[0]!.room_id).not.toBe(made[1]!.room_id)
  })
})
