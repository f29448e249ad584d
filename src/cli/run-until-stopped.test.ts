import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Child } from '../platform/testing-child.js'
import { startSource, workplace, type Workplace } from './testing.js'

let place: Workplace
beforeEach(() => {
  place = workplace()
})
afterEach(() => place.remove())

const mark = (): string => join(place.folder, 'closed')
const begin = (behaviour: string): Child =>
  startSource('src/cli/testing-node.ts', [behaviour, mark()], place.folder)

const ready = (child: Child): Promise<unknown> => child.said(/the node is ready/)

describe('a node', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('closes fully on %s and exits with 0', async (signal) => {
    const child = begin('quiet')
    const { ended } = child
    await ready(child)
    child.process.kill(signal)
    expect((await ended).code).toBe(0)
    expect(existsSync(mark())).toBe(true)
  })

  it('is not ended by a second signal while it closes', async () => {
    const child = begin('quiet')
    const { ended } = child
    await ready(child)
    child.process.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 100))
    child.process.kill('SIGINT')
    child.process.kill('SIGTERM')
    expect((await ended).code).toBe(0)
    expect(existsSync(mark())).toBe(true)
  })

  it.each([
    ['throws later', 'a fault in some callback'],
    ['rejects later', 'a fault in some promise'],
    ['reports a fault', 'the disk failed'],
  ])('that %s says why, closes fully and exits with 1', async (behaviour, message) => {
    const { code, out } = await begin(behaviour).ended
    expect(code).toBe(1)
    expect(out).toContain(message)
    expect(existsSync(mark())).toBe(true)
  })

  it('that cannot close is ended after its time, and says so', async () => {
    const child = begin('hangs')
    const { ended } = child
    await ready(child)
    child.process.kill('SIGTERM')
    const { code, out } = await ended
    expect(code).toBe(1)
    expect(out).toContain('did not close in time')
    expect(existsSync(mark())).toBe(false)
  })

  it('that cannot start does not stay', async () => {
    expect((await begin('fails to start').ended).code).toBe(1)
  })
})
