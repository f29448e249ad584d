import { resolve } from 'node:path'
import { execSync } from 'node:child_process'
import { createClient } from './bench/client.mjs'
import { startNode } from './bench/node.mjs'
import { registerUsers } from './bench/world.mjs'
const node = await startNode({ main: resolve('dist/main.js') })
const client = createClient(node.url, 64)
await registerUsers(client, 5000, 'many')
execSync('for p in $(pgrep -f main.js); do grep -q ' + node.folder + ' /proc/$p/cmdline && kill -USR2 $p; done; true')
await new Promise(r => setTimeout(r, 15000))
await client.close(); await node.stop(); node.remove()
