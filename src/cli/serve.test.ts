import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { finish, startCli, workplace, type Finished, type Workplace } from './testing.js'

let place: Workplace
const running: ChildProcess[] = []
beforeEach(async () => {
  place = workplace()
  writeFileSync(
    join(place.folder, 'homeserver.yaml'),
    'server_name: ministry.example\nlisteners: [{ address: 127.0.0.1, port: 0 }]\nmetrics: { enabled: true }\n',
  )
  await place.run(['generate-key'])
})
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  place.remove()
})

/** A started node, its address, and how it ends. */
async function serve(): Promise<{ child: ChildProcess; url: string; ended: Promise<Finished> }> {
  const child = startCli(['serve'], place.folder)
  running.push(child)
  const ended = finish(child)
  const url = await new Promise<string>((resolve, reject) => {
    let seen = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(seen)
      if (found !== null) resolve(found[0])
    })
    void ended.then(({ err }) => reject(new Error(`the node ended: ${err}`)))
  })
  return { child, url, ended }
}

// A process compiles the sources that it loads; on a busy machine that takes seconds.
jest.setTimeout(90_000)

describe('chancery serve', () => {
  it('serves its page, its health and its metrics until SIGTERM, then exits with 0', async () => {
    const { child, url, ended } = await serve()
    expect(await (await fetch(`${url}/`)).text()).toContain('This server works.')
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('route="getHealth",status="200"} 1')
    child.kill('SIGTERM')
    const { code, out, err } = await ended
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('the node has stopped')
  })

  it('refuses a database that another node has, in one sentence, and leaves that node alone', async () => {
    const { child, url, ended } = await serve()
    const second = await place.spawn(['serve'])
    expect(second.code).toBe(1)
    expect(second.err).toMatch(
      /^chancery: the database .* is in use by another process; stop that one first\n$/,
    )
    expect((await fetch(`${url}/health`)).status).toBe(200)
    child.kill('SIGINT')
    expect((await ended).code).toBe(0)
  })
})
