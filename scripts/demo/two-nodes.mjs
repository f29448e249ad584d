/** Two nodes for one run: free ports, a temporary folder, gone afterwards. For the scripts that bring clients of their own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.mjs'
import { openAuthority } from './certificates.mjs'
import { prepareMinistry } from './ministry.mjs'
import { supervise } from './supervise.mjs'

/** `finances` and `interieur`, running. `dispose()` ends them and removes what they wrote, unless `keep`. */
export async function startTwoNodes({ say = (line) => console.error(line), keep = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-two-nodes-'))
  const nodes = []
  async function dispose() {
    await Promise.all(nodes.map((node) => node.process.stop()))
    if (keep) say(`kept: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
  try {
    const authority = await openAuthority(folder)
    for (const name of ['finances', 'interieur']) {
      const ministry = await prepareMinistry({
        name,
        folder: join(folder, name),
        clientPort: await freePort(),
        federationPort: await freePort(),
        authority,
      })
      const process = supervise(ministry, say)
      nodes.push({ ministry, process })
      await process.ready
    }
    return { nodes, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}
