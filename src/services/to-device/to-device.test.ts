import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Json, JsonObject } from '../../core/json/value.js'
import { parseJson } from '../../core/json/parse.js'
import { all } from '../../storage/tx.js'
import { startNodes, type TestNode, type TestNodes } from '../e2ee/testing.js'
import type { Requester } from '../requester.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:a.example'
const CAROL = '@carol:b.example'

describe('messages to devices', () => {
  let nodes: TestNodes
  let a: TestNode
  let b: TestNode
  let alice: Requester
  beforeEach(async () => {
    nodes = await startNodes({ toDevice: { maxMessages: 50, maxBytes: 500_000 } })
    ;({ a, b } = nodes)
    alice = await a.addDevice(ALICE, 'ALICE')
    for (const device of ['B1', 'B2']) await a.addDevice(BOB, device)
    for (const device of ['C1', 'C2']) await b.addDevice(CAROL, device)
  })
  afterEach(() => nodes.close())

  let txn = 0
  const send = (messages: Json, id = `t${txn++}`, requester = alice) =>
    a.toDevice.send(requester, 'm.test', id, messages)
  const fetch = (node: TestNode, user: string, device: string, from = 0, limit = 100) =>
    node.store.read('test', () => node.toDevice.toDeviceFor(user, device, from, 999_999, limit))
  const contents = async (node: TestNode, user: string, device: string) =>
    (await fetch(node, user, device)).events.map((event) => event.content)

  it('reach the device that they name, once, and nobody else', async () => {
    await send({ [BOB]: { B1: { n: 1 } } })
    expect((await fetch(a, BOB, 'B1')).events).toEqual([{ sender: ALICE, type: 'm.test', content: { n: 1 } }])
    expect(await contents(a, BOB, 'B2')).toEqual([])
  })

  it('reach all devices with *, where a message to a device itself goes first', async () => {
    await send({ [BOB]: { '*': { all: true }, B2: { own: true } }, [CAROL]: { '*': { all: true } } })
    await nodes.settle()
    expect(await contents(a, BOB, 'B1')).toEqual([{ all: true }])
    expect(await contents(a, BOB, 'B2')).toEqual([{ own: true }])
    for (const device of ['C1', 'C2']) expect(await contents(b, CAROL, device)).toEqual([{ all: true }])
  })

  it('are dropped for devices and users that do not exist', async () => {
    await send({ [BOB]: { GONE: {} }, '@nobody:a.example': { '*': {} }, [CAROL]: { GONE: {} } })
    await nodes.settle()
    for (const node of [a, b])
      expect(await node.store.read('test', () => all('SELECT * FROM to_device_messages'))).toEqual([])
  })

  it('are sent once for a transaction id of a device, also at the same time', async () => {
    const bobs = { [BOB]: { B1: { n: 1 } }, [CAROL]: { C1: { n: 1 } } }
    await Promise.all([send(bobs, 'same'), send(bobs, 'same'), send({ [BOB]: { B1: { n: 2 } } }, 'same')])
    const laptop = await a.addDevice(ALICE, 'LAPTOP')
    await send({ [BOB]: { B2: { n: 3 } } }, 'same', laptop)
    await nodes.settle()
    expect(await contents(a, BOB, 'B1')).toEqual([{ n: 1 }])
    expect(await contents(a, BOB, 'B2')).toEqual([{ n: 3 }])
    expect(await contents(b, CAROL, 'C1')).toEqual([{ n: 1 }])
  })

  it('come in order, a limited number at a time, and go only with the next since', async () => {
    for (let n = 0; n < 5; n++) await send({ [BOB]: { B1: { n } } })
    const first = await fetch(a, BOB, 'B1', 0, 2)
    expect(first).toMatchObject({ events: [{ content: { n: 0 } }, { content: { n: 1 } }], more: true })
    // The answer was lost: the client comes with its old token.
    expect(await fetch(a, BOB, 'B1', 0, 2)).toEqual(first)
    await a.toDevice.acknowledge(BOB, 'B1', first.upTo)
    expect((await fetch(a, BOB, 'B1', 0)).events).toHaveLength(3)
    const rest = await fetch(a, BOB, 'B1', first.upTo)
    expect(rest).toMatchObject({ events: [{ content: { n: 2 } }, {}, {}], more: false, upTo: 999_999 })
    await a.toDevice.acknowledge(BOB, 'B1', rest.upTo)
    expect(await a.store.read('test', () => all('SELECT * FROM to_device_queues'))).toEqual([])
  })

  it('wake the sync of who gets them', async () => {
    const subscription = a.notifier.subscribe([BOB])
    await send({ [BOB]: { B1: {} } })
    expect(await subscription.wait(1_000, new AbortController().signal)).toBe(true)
    subscription.close()
  })

  it('wait in the outbox while the other server is down', async () => {
    b.online = false
    await send({ [CAROL]: { C1: { n: 1 } } })
    await nodes.settle()
    b.online = true
    await nodes.settle()
    expect(await contents(b, CAROL, 'C1')).toEqual([{ n: 1 }])
  })

  it('are split into EDUs of at most 64 KiB, and all arrive', async () => {
    const devices: Record<string, JsonObject> = {}
    for (let i = 0; i < 40; i++) {
      await b.addDevice(CAROL, `D${i}`)
      devices[`D${i}`] = { n: i, text: 'ä'.repeat(5_000) }
    }
    await send({ [CAROL]: devices })
    const edus = await a.store.read('test', () => all<{ content: string }>('SELECT content FROM outbox_edus'))
    expect(edus.length).toBeGreaterThan(6)
    expect(edus.length).toBeLessThan(10)
    for (const edu of edus) expect(Buffer.byteLength(edu.content)).toBeLessThanOrEqual(65_536)
    const ids = edus.map((edu) => (JSON.parse(edu.content) as { message_id: string }).message_id)
    expect(new Set(ids).size).toBe(edus.length)
    expect(ids.every((id) => id.length <= 32)).toBe(true)
    await nodes.settle()
    for (let i = 0; i < 40; i++) expect(await contents(b, CAROL, `D${i}`)).toEqual([devices[`D${i}`]])
  })

  it('are refused when one is larger than an EDU may be, and then none is sent', async () => {
    const messages = { [BOB]: { B1: { n: 1 }, B2: { text: 'x'.repeat(70_000) } } }
    await expect(send(messages)).rejects.toMatchObject({ errcode: 'M_TOO_LARGE' })
    expect(await contents(a, BOB, 'B1')).toEqual([])
  })

  it.each<[Json]>([
    [null],
    [[]],
    [{ bob: {} }],
    [{ [BOB]: [] }],
    [{ [BOB]: { B1: 'text' } }],
    [{ [BOB]: { B1: null } }],
    [{ [BOB]: { '': {} } }],
    [{ [BOB]: { ['D'.repeat(300)]: {} } }],
  ])('are refused as %j', async (messages) => {
    await expect(send(messages)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
  })

  it('are refused when there are more than 10,000', async () => {
    const devices = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`D${i}`, {}]))
    await expect(send({ [BOB]: devices })).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
  })

  it('lose the oldest when a device does not fetch them', async () => {
    for (let n = 0; n < 60; n++) await send({ [BOB]: { B1: { n } } })
    const kept = (await contents(a, BOB, 'B1')).map((content) => content['n'] as number)
    expect(kept.length).toBeLessThanOrEqual(50)
    expect(kept.length).toBeGreaterThanOrEqual(44)
    expect(kept.at(-1)).toBe(59)
    for (let n = 0; n < 20; n++) await send({ [BOB]: { B2: { n, text: 'x'.repeat(60_000) } } })
    const queue = await a.store.read('test', () =>
      all<{ bytes: number; messages: number }>(
        `SELECT bytes, messages FROM to_device_queues WHERE device_id = 'B2'`,
      ),
    )
    expect(queue[0]!.bytes).toBeLessThanOrEqual(500_000)
    expect(await contents(a, BOB, 'B2')).toHaveLength(queue[0]!.messages)
  })

  it('vanish with their device, and with age', async () => {
    await send({ [BOB]: { B1: {}, B2: {} } })
    await a.store.write('test.delete', () => a.toDevice.onDevicesDeleted(BOB, ['B1']))
    expect(await contents(a, BOB, 'B1')).toEqual([])
    await a.toDevice.cleanUp()
    expect(await contents(a, BOB, 'B2')).toHaveLength(1)
    a.clock.advance(181 * 24 * 3_600_000)
    await a.toDevice.cleanUp()
    expect(await contents(a, BOB, 'B2')).toEqual([])
  })

  describe('from other servers', () => {
    const edu = { sender: CAROL, type: 'm.test', message_id: 'id', messages: { [BOB]: { B1: { n: 1 } } } }
    const receive = (content: JsonObject, origin = 'b.example') =>
      a.toDevice.onEdu(origin, 'm.direct_to_device', content)

    it('keep numbers that a double does not hold as they were written', async () => {
      const content = parseJson('{"n":1.50,"m":12345678901234567890}')
      await receive({ ...edu, messages: { [BOB]: { B1: content.ok ? content.value : null } } })
      const rows = await a.store.read('test', () =>
        all<{ content: string }>('SELECT content FROM to_device_messages'),
      )
      expect(rows).toEqual([{ content: '{"m":12345678901234567890,"n":1.5}' }])
    })

    it('are taken once for each message id of a server', async () => {
      await receive(edu)
      await receive(edu)
      await receive({ ...edu, sender: '@dan:c.example' }, 'c.example')
      expect(await contents(a, BOB, 'B1')).toHaveLength(2)
    })

    it.each<[string, JsonObject, string]>([
      ['of a sender of another server', edu, 'c.example'],
      ['without sender', { ...edu, sender: null }, 'b.example'],
      ['without type', { ...edu, type: 7 }, 'b.example'],
      ['without id', { ...edu, message_id: null }, 'b.example'],
      ['with a huge id', { ...edu, message_id: 'x'.repeat(1_000) }, 'b.example'],
      ['with messages that are none', { ...edu, messages: { [BOB]: { B1: 'text' } } }, 'b.example'],
      ['for users of others', { ...edu, messages: { '@x:c.example': { X: {} } } }, 'b.example'],
    ])('are ignored %s', async (_, content, origin) => {
      expect(await receive(content, origin)).toBe(true)
      expect(await a.store.read('test', () => all('SELECT * FROM to_device_messages'))).toEqual([])
    })
  })
})
