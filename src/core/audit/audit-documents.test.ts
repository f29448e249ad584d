import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../json/value.js'
import { ACTS, isActName } from './acts.js'
import { chainEntry, GENESIS } from './entry.js'
import { entryLine, readEntryLine } from './entry-line.js'
import { HEAD_TYPE, headJson, isHash, readHead } from './signed-head.js'

const HASH = 'a'.repeat(64)
const entry = chainEntry(1, GENESIS, 1_700_000_000_000, {
  act: 'session.opened',
  by: { kind: 'user', id: '@alice:finances.example' },
  reason: 'a "quoted" é',
})

describe('a line of an exported audit log', () => {
  it('is read as what was written', () => {
    const line = entryLine(entry)
    expect(JSON.parse(line)).toMatchObject({ id: 1, act: 'session.opened', hash: entry.hash })
    expect(readEntryLine(line)).toEqual(entry)
  })

  it('reads the same whatever order its members have', () => {
    const json = JSON.parse(entryLine(entry)) as JsonObject
    const turned = JSON.stringify(Object.fromEntries(Object.entries(json).toReversed()))
    expect(readEntryLine(turned)).toEqual(entry)
  })

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['no hash', '{"id":1}'],
    ['another hash', '{"hash":"zz","id":1}'],
    ['no number', `{"hash":"${HASH}","id":"1"}`],
    ['a fraction', `{"hash":"${HASH}","id":1,"x":0.5}`],
  ])('is none where it is %s', (_name, line) => {
    expect(readEntryLine(line)).toBeUndefined()
  })
})

describe('the head that is left with another member', () => {
  const head = { serverName: 'finances.example', id: 7, hash: HASH, ts: 1_700_000_000_000 }

  it('is read as what was said', () => {
    expect(readHead(headJson(head))).toEqual(head)
    expect(headJson(head)).toMatchObject({ type: HEAD_TYPE, server_name: 'finances.example' })
  })

  it.each<[string, JsonObject]>([
    ['of another type', { type: 'm.other' }],
    ['of nobody', { server_name: 5 }],
    ['of no entry', { id: 0 }],
    ['of half an entry', { id: 1.5 }],
    ['with another hash', { hash: HASH.toUpperCase() }],
    ['of no time', { ts: -1 }],
  ])('is none %s', (_name, wrong) => {
    expect(readHead({ ...headJson(head), ...wrong })).toBeUndefined()
  })

  it('is none where it is no object', () => {
    expect(readHead([])).toBeUndefined()
    expect(readHead(undefined)).toBeUndefined()
    expect(isHash(7)).toBe(false)
  })
})

describe('the vocabulary of acts', () => {
  it('is closed, and names nouns and what happened to them', () => {
    expect(isActName('session.opened')).toBe(true)
    for (const name of ['session.closed', '__proto__', 'toString']) expect(isActName(name)).toBe(false)
    for (const name of Object.keys(ACTS)) expect(name).toMatch(/^[a-z_]+\.[a-z_]+$/)
  })
})
