import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { authenticator } from '../platform/testing-authenticator.js'
import { startNodeIn, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Finished, type Workplace } from './testing.js'

let place: Workplace
let node: NodeUnderTest | undefined
const SECRET = 'a secret of more than thirty-two characters'
const config = (secret: string): string => `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1, min_length: 1 }
second_factor: { secret: "${secret}", attempts: 2 }
audit: { enabled: true }
`
const write = (text: string): void => writeFileSync(join(place.folder, 'homeserver.yaml'), text)

beforeAll(async () => {
  place = workplace()
  write(config(SECRET))
  await place.run(['generate-key'])
  await place.run(['register-user', '--user', 'root', '--admin'], { input: 'a good password\n' })
  await place.run(['register-user', '--user', 'bob'], { input: 'a good password\n' })
})
afterAll(async () => {
  await node?.close()
  place.remove()
})

const factor = (...args: string[]): Promise<Finished> => place.run(['second-factor', ...args])
const secretIn = ({ out }: Finished): string => /^secret +([A-Z2-7]{32})$/m.exec(out)![1]!
const listed = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await factor('list')).out) as Record<string, unknown>

describe('chancery second-factor', () => {
  it('gives an administrator one, shows it once, and opens it again after wrong codes', async () => {
    expect((await factor('list')).out).toBe('')
    expect((await factor('enrol', 'bob')).err).toContain('is no administrator')
    const first = await factor('enrol', 'root')
    expect(first.out).toContain(`secret=${secretIn(first)}&issuer=ministry.example`)
    expect((await factor('enrol', 'root')).err).toContain('--replace')
    node = await startNodeIn(place.folder)
    const again = secretIn(await factor('enrol', 'root', '--replace'))
    expect(again).not.toBe(secretIn(first))
    expect((await factor('list')).out).not.toContain(again)

    const { body } = await node.login('root', 'a good password')
    const attempt = (code: string) => post(String(body['access_token']), code)
    const post = async (token: string, code: string): Promise<unknown> => {
      const sent = await fetch(`${node!.url}/_chancery/admin/v1/unlock`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'x-chancery-code': code },
        body: JSON.stringify({ user: 'bob' }),
      })
      return ((await sent.json()) as { reason?: string }).reason
    }
    const app = authenticator(again)
    for (let n = 0; n < 2; n++) expect(await attempt(app.wrong(Date.now()))).toBe('second_factor.wrong')
    expect(await attempt(app.code(Date.now()))).toBe('second_factor.locked')
    expect(await listed()).toMatchObject({ user_id: '@root:ministry.example', locked: true, opens: true })
    expect((await factor('unlock', 'root')).out).toContain('are taken again')
    expect(await attempt(app.code(Date.now()))).toBeUndefined()
    await node.close()
    node = undefined
    const { out } = await place.run(['audit', 'export', '--act', 'second_factor.locked'])
    expect(out).toContain('"way":"http"')
    expect(out).not.toContain(again)
  })

  it('shows which factors another secret has sealed, and takes them away', async () => {
    write(config(`${SECRET}, another`))
    expect(await listed()).toMatchObject({ opens: false })
    expect((await factor('remove', 'root')).out).toContain('has no second factor any more')
    expect((await factor('remove', 'root')).code).toBe(1)
    expect((await factor('list')).out).toBe('')
  })

  it('says what was called wrongly', async () => {
    expect((await factor('enroll', 'root')).code).toBe(2)
    expect((await factor('enrol')).code).toBe(2)
    write(config(SECRET).replace(/^second_factor.*\n/m, ''))
    expect((await factor('enrol', 'root')).err).toContain('second_factor.secret')
  })
})
