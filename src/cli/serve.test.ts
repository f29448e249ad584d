import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Child } from '../platform/testing-child.js'
import { startCli, workplace, type Workplace } from './testing.js'

let place: Workplace
const running: Child[] = []
beforeEach(async () => {
  place = workplace()
  writeFileSync(
    join(place.folder, 'homeserver.yaml'),
    'server_name: ministry.example\nlisteners: [{ address: 127.0.0.1, port: 0 }]\nmetrics: { enabled: true }\n',
  )
  await place.run(['generate-key'])
})
afterEach(() => {
  for (const child of running.splice(0)) child.process.kill('SIGKILL')
  place.remove()
})

/** A started node, and its address. */
async function serve(): Promise<{ child: Child; url: string }> {
  const child = startCli(['serve'], place.folder)
  running.push(child)
  return { child, url: (await child.said(/http:\/\/127\.0\.0\.1:\d+/))[0] }
}

// A process compiles the sources that it loads; on a busy machine that takes seconds.
describe('chancery serve', () => {
  it('serves its page, its health and its metrics until SIGTERM, then exits with 0', async () => {
    const { child, url } = await serve()
    expect(await (await fetch(`${url}/`)).text()).toContain('This server works.')
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('route="getHealth",status="200"} 1')
    const { code, out, err } = await child.stop()
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('the node has stopped')
  })

  it('goes on when nobody reads its log any more, and ends as asked', async () => {
    appendFileSync(join(place.folder, 'homeserver.yaml'), 'logging: { pretty: true }\n')
    const { child, url } = await serve()
    child.process.stdout.destroy()
    // More than the pipe holds, and warnings, which are written at once.
    for (let i = 0; i < 5; i++) expect((await fetch(`${url}/health?${'x'.repeat(5_000)}`)).status).toBe(200)
    expect(await child.stop()).toMatchObject({ code: 0, signal: null })
  })

  it('refuses a database that another node has, in one sentence, and leaves that node alone', async () => {
    const { child, url } = await serve()
    const second = await place.spawn(['serve'])
    expect(second.code).toBe(1)
    expect(second.err).toMatch(
      /^chancery: the database .* is in use by another process; stop that one first\n$/,
    )
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect((await child.stop('SIGINT')).code).toBe(0)
  })
})
