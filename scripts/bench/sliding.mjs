import { createClient, v3 } from './client.mjs'
import { spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { message, sendPath } from './send.mjs'
import { each, registerUsers, userWithRooms } from './world.mjs'

const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const TIMES = 500
/** Until the node's code for it is compiled. */
const WARM_UP = 300

/** The list of rooms as matrix-rust-sdk asks for it. */
const roomList = (connId, last) => ({
  conn_id: connId,
  lists: {
    all_rooms: {
      ranges: [[0, last]],
      timeline_limit: 1,
      required_state: [
        ['m.room.name', ''],
        ['m.room.encryption', ''],
        ['m.room.member', '$LAZY'],
        ['m.room.member', '$ME'],
        ['m.room.topic', ''],
        ['m.room.avatar', ''],
        ['m.room.canonical_alias', ''],
        ['m.room.power_levels', ''],
        ['org.matrix.msc3401.call.member', '*'],
        ['m.room.join_rules', ''],
        ['m.room.create', ''],
        ['m.room.history_visibility', ''],
        ['io.element.functional_members', ''],
        ['m.space.parent', '*'],
        ['m.space.child', '*'],
      ],
      filters: {},
    },
  },
  extensions: {
    account_data: { enabled: true },
    receipts: { enabled: true, rooms: ['*'] },
    typing: { enabled: true },
  },
})

/** Requests one after the other: how long each took, and the node's CPU for one. */
async function repeated(client, ask) {
  for (let i = 0; i < WARM_UP; i++) await ask(i)
  const waits = []
  const { cpuMs, loopMaxMs } = await spent(client, async () => {
    for (let i = 0; i < TIMES; i++) {
      const before = performance.now()
      await ask(WARM_UP + i)
      waits.push(performance.now() - before)
    }
  })
  return { ...quantiles(waits), cpuMs: cpuMs / TIMES, loopMaxMs }
}

async function drain(client, user, sender, count) {
  const me = await client.json('GET', v3('/account/whoami'), user.token)
  const keys = { [`curve25519:${me.device_id}`]: 'A'.repeat(43), [`ed25519:${me.device_id}`]: 'A'.repeat(43) }
  await client.text('POST', v3('/keys/upload'), user.token, {
    device_keys: {
      user_id: me.user_id,
      device_id: me.device_id,
      algorithms: ['m.megolm.v1.aes-sha2'],
      keys,
      signatures: {},
    },
  })
  await each(Array.from({ length: count }), 32, (_, index) =>
    client.text('PUT', v3(`/sendToDevice/m.room.encrypted/b${index}`), sender.token, {
      messages: { [me.user_id]: { [me.device_id]: { ciphertext: 'x'.repeat(400) } } },
    }),
  )
  let answers = 0
  let messages = 0
  let largest = 0
  const { cpuMs, ms, loopMaxMs } = await spent(client, async () => {
    let pos = ''
    let since
    for (;;) {
      const text = await client.text('POST', `${PATH}?timeout=0${pos && `&pos=${pos}`}`, user.token, {
        conn_id: 'encryption',
        extensions: { to_device: { enabled: true, ...(since && { since }) }, e2ee: { enabled: true } },
      })
      const answer = JSON.parse(text)
      const { events, next_batch: next } = answer.extensions.to_device
      pos = answer.pos
      since = next
      answers++
      messages += events.length
      largest = Math.max(largest, text.length)
      if (events.length === 0) return
    }
  })
  return { count, messages, answers, largest, cpuMs, ms, loopMaxMs }
}

/** Simplified sliding sync of one user in many rooms: the first window, an answer with one changed room, one with none; and a full queue. */
export async function measureSliding(start, { rooms, messages }, say) {
  let node = await start()
  let client = createClient(node.url, 32)
  try {
    say(`a user in ${rooms} rooms`)
    const user = await userWithRooms(client, rooms, 'slider')
    const [sender] = await registerUsers(client, 1, 'sender')
    const joined = await client.json('GET', v3('/joined_rooms'), user.token)
    const roomId = joined.joined_rooms[0]
    await client.text('POST', v3(`/rooms/${encodeURIComponent(roomId)}/invite`), user.token, {
      user_id: sender.userId,
    })
    await client.text('POST', v3(`/join/${encodeURIComponent(roomId)}`), sender.token, {})
    // On a node that has everything yet to read.
    await client.close()
    await node.stop()
    node = await start(node.folder)
    client = createClient(node.url, 32)
    const ask = (connId, last, pos) =>
      client.json(
        'POST',
        `${PATH}?timeout=0${pos === undefined ? '' : `&pos=${pos}`}`,
        user.token,
        roomList(connId, last),
      )
    const before = performance.now()
    const cold = Object.keys((await ask('cold', 19)).rooms).length
    const coldMs = performance.now() - before
    say('sliding sync: first windows')
    const first = await repeated(client, (index) => ask(`first${index % 4}`, 19))
    let { pos } = await ask('all', rooms)
    for (;;) {
      const answer = await ask('all', rooms, pos)
      pos = answer.pos
      if (Object.keys(answer.rooms).length === 0) break
    }
    say('sliding sync: no news, one room with news')
    const none = await repeated(client, () => ask('all', rooms, pos))
    await client.text('PUT', sendPath({ roomId }, 'sliding'), sender.token, message('news'))
    const one = await repeated(client, () => ask('all', rooms, pos))
    const told = Object.keys((await ask('all', rooms, pos)).rooms).length
    if (cold !== Math.min(20, rooms) || told !== 1) throw new Error(`told of ${cold} and ${told} rooms`)
    say(`${messages} messages to a device`)
    return { rooms, coldMs, first, none, one, queue: await drain(client, user, sender, messages) }
  } finally {
    await client.close()
    await node.stop()
    node.remove()
  }
}
