import { describe, expect, it } from '@jest/globals'
import { linesUntilKilled, startChild } from './testing-child.js'

const script = (code: string): readonly string[] => ['-e', code]

describe('a child process of a test', () => {
  it('is told its input, and gives what it wrote and how it ended', async () => {
    const code =
      "process.stdin.on('data', (d) => { console.log('got ' + d); console.error('hm'); process.exitCode = 3 })"
    const { ended } = startChild(script(code), { input: 'a word' })
    expect(await ended).toEqual({ code: 3, signal: null, out: 'got a word\n', err: 'hm\n' })
  })

  it('is listened to line by line, and a line that never comes is an error with its complaint', async () => {
    const child = startChild(script("console.log('one'); console.log('two'); console.error('why')"))
    expect((await child.said(/tw(o)/))[1]).toBe('o')
    expect([await child.line(), await child.line()]).toEqual(['one', 'two'])
    await expect(child.line()).rejects.toThrow(/ended \(0\).*why/s)
    await expect(child.said(/three/)).rejects.toThrow(/before it said/)
  })

  it('is stopped with a signal, and by force where it does not listen', async () => {
    const polite = startChild(
      script("process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1e3); console.log('up')"),
    )
    await polite.line()
    expect(await polite.stop()).toMatchObject({ code: 7 })
    const deaf = startChild(
      script("process.on('SIGTERM', () => {}); setInterval(() => {}, 1e3); console.log('up')"),
    )
    await deaf.line()
    expect(await deaf.stop('SIGTERM', 100)).toMatchObject({ signal: 'SIGKILL' })
  })

  it('is killed after so many lines', async () => {
    const child = startChild(script('let n = 0; setInterval(() => console.log(n++), 5)'))
    const lines = await linesUntilKilled(child, 5)
    expect(lines.slice(0, 5)).toEqual(['0', '1', '2', '3', '4'])
    expect((await child.ended).signal).toBe('SIGKILL')
  })
})
