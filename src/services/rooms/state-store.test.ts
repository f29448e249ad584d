import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { openTestStore } from '../../storage/testing.js'
import { insertStateKeys } from '../../storage/tables/state.js'
import type { Store } from '../../storage/tx.js'
import { createNids } from './nids.js'
import { createStateStore, type StateKey, type StateStore } from './state-store.js'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

const keys: StateKey[] = ['@a:x.example', '@b:x.example', '@c:x.example'].map((stateKey) => ({
  type: 'm.room.member',
  stateKey,
}))
/** A process of its own on the same store. */
const open = (): StateStore => createStateStore({ store, nids: createNids(store) })
const rowsOf = (made: readonly { readonly nid: number }[]) =>
  made.map(({ nid }, i) => ({ nid, type: keys[i]!.type, state_key: keys[i]!.stateKey }))

describe('the nids of state keys', () => {
  it('are given once, to many keys as to single ones', async () => {
    const states = open()
    const one = await states.intern(keys[1]!)
    const many = await states.internMany(keys)
    expect(many[1]).toEqual(one)
    expect(new Set(many.map(({ nid }) => nid)).size).toBe(3)
    expect(many.every(({ fresh }) => fresh)).toBe(true)
    expect(await store.write('test', () => insertStateKeys(rowsOf(many)))).toBe(true)
    states.stored(rowsOf(many))
    expect(await states.internMany(keys)).toEqual(many.map(({ nid }) => ({ nid, fresh: false })))
    expect(await open().internMany(keys)).toEqual(many.map(({ nid }) => ({ nid, fresh: false })))
  })

  it('are those of the faster process, once the slower one has learnt of it', async () => {
    const [fast, slow] = [open(), open()]
    const [theirs, ours] = [await fast.internMany(keys), await slow.internMany(keys)]
    expect(ours[0]!.nid).not.toBe(theirs[0]!.nid)
    expect(await store.write('test', () => insertStateKeys(rowsOf(theirs)))).toBe(true)
    expect(await store.write('test', () => insertStateKeys(rowsOf(ours)))).toBe(false)
    slow.disown(rowsOf(ours))
    expect((await slow.internMany(keys)).map(({ nid }) => nid)).toEqual(theirs.map(({ nid }) => nid))
  })
})

describe('what was seen of the current state', () => {
  it('is kept for one state of a room, until it is said to have changed', () => {
    const states = open()
    const event = { nid: 7 } as never
    states.seen(1, 'root').set('key', event)
    expect(states.seen(1, 'root').get('key')).toBe(event)
    expect(states.seen(2, 'root').has('key')).toBe(false)
    states.forgetSeen(1)
    expect(states.seen(1, 'root').has('key')).toBe(false)
    states.seen(1, 'root').set('key', event)
    expect(states.seen(1, 'next').has('key')).toBe(false)
    expect(states.seen(1, 'root').has('key')).toBe(false)
  })
})

describe('a key that no state had so far', () => {
  it('is looked up once for each root, and found in a later one', async () => {
    let queries = 0
    const counting: Store = {
      ...store,
      read: (label, body) => {
        queries++
        return store.read(label, body)
      },
    }
    const states = createStateStore({ store: counting, nids: createNids(store) })
    const [first, second] = await states.internMany(keys)
    await store.write('test', () => insertStateKeys(rowsOf([first!])))
    states.stored(rowsOf([first!]))
    const before = await states.update(1, undefined, new Map([[first!.nid, 7]]))
    states.remember(before.created.values())
    const asked: StateKey = { type: 'm.room.server_acl', stateKey: '' }
    expect(await states.read(1, before.root, [asked])).toEqual(new Map())
    queries = 0
    expect(await states.read(1, before.root, [asked])).toEqual(new Map())
    expect(queries).toBe(0)
    // Beside one that is there it is absent still.
    expect([...(await states.read(1, before.root, [asked, keys[0]!])).values()]).toEqual([7])

    const acl = await states.intern(asked)
    const row = { nid: acl.nid, type: asked.type, state_key: asked.stateKey }
    await store.write('test', () => insertStateKeys([row]))
    states.stored([row])
    const after = await states.update(1, before.root, new Map([[acl.nid, 9]]))
    states.remember(after.created.values())
    expect([...(await states.read(1, after.root, [asked])).values()]).toEqual([9])
    expect(second).toBeDefined()
  })
})
