import { resolve } from 'node:path'
import { createClient } from './bench/client.mjs'
import { readGauges } from './bench/gauges.mjs'
import { measureIdlePolls } from './bench/large.mjs'
import { startNode } from './bench/node.mjs'
import { registerUsers } from './bench/world.mjs'
const node = await startNode({ main: resolve('dist/main.js') })
const client = createClient(node.url, 64)
const m = async (l) => { const t = await (await fetch(node.url + '/metrics')).text(); console.log(l, t.split('\n').filter(x => /^(chancery_)?(nodejs_heap_size_(used|total)|nodejs_external|process_resident|process_heap)|space_size_used/.test(x)).map(x=>x.replace(/(\d{6,})(\.\d+)?(e\+\d+)?$/, (n)=> (Number(n)/2**20).toFixed(1))).join('\n   ')) }
await m('idle')
const users = await registerUsers(client, 5000, 'many')
await m('registered')
console.log(await measureIdlePolls(node.url, client, users))
await m('after')
await client.close(); await node.stop(); node.remove()
