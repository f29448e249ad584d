import { spawn } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const WATCH = pathToFileURL(join(process.cwd(), 'scripts', 'npm-watch.mjs')).href
const SCRIPT = `import { whenNpmEnds } from ${JSON.stringify(WATCH)}
whenNpmEnds(() => { console.log('stopped'); process.exit() })
console.log('ready')
setTimeout(() => { console.log('still there'); process.exit() }, Number(process.env.LIFE_MS))`

/** What a script says whose parent, a shell as npm's, is killed once the script runs. */
function afterTheShellDies(env: Record<string, string>): Promise<string> {
  // A second command keeps the shell from becoming the first.
  const shell = spawn('sh', ['-c', `"${process.execPath}" --input-type=module -e "$SCRIPT"; :`], {
    env: { PATH: process.env['PATH'] ?? '', SCRIPT, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  return new Promise((resolve) => {
    shell.stdout.setEncoding('utf8')
    shell.stdout.on('data', (text: string) => {
      said += text
      if (said === 'ready\n') shell.kill('SIGTERM')
    })
    // The end of the script, which has inherited the pipe.
    shell.stdout.once('close', () => resolve(said))
  })
}

describe('a script that npm runs', () => {
  it('ends when npm is told to, though no signal reaches it', async () => {
    expect(await afterTheShellDies({ npm_lifecycle_event: 'start', LIFE_MS: '60000' })).toBe('ready\nstopped\n') // prettier-ignore
  })

  it('outlives its parent where npm has no part in it', async () => {
    expect(await afterTheShellDies({ LIFE_MS: '2000' })).toBe('ready\nstill there\n')
  })
})
