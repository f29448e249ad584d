import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { workplace, type Workplace } from './testing.js'

let place: Workplace
beforeEach(() => {
  place = workplace()
})
afterEach(() => place.remove())

// A process compiles the sources that it loads; on a busy machine that takes seconds.
describe('chancery serve on a port that another program has', () => {
  it('says so in one sentence, and ends with 1', async () => {
    const taker = createServer()
    await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve))
    const { port } = taker.address() as AddressInfo
    writeFileSync(
      join(place.folder, 'homeserver.yaml'),
      `server_name: ministry.example\nlisteners: [{ address: 127.0.0.1, port: ${port} }]\n`,
    )
    await place.run(['generate-key'])
    const { code, err } = await place.spawn(['serve'])
    await new Promise((resolve) => taker.close(resolve))
    expect(err).toBe(
      `chancery: cannot listen on 127.0.0.1 port ${port}: another program has it (EADDRINUSE)\n`,
    )
    expect(code).toBe(1)
  })
})
