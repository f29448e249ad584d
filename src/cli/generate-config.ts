import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { exampleConfig } from '../config/example.js'
import { parseConfig } from '../config/load.js'
import { systemRandom } from '../platform/random.js'
import { CliError, EXIT, type Command } from './command.js'

export const generateConfig: Command = {
  name: 'generate-config',
  summary: 'write a configuration with every key, its meaning and its default',
  help: [
    '  --server-name NAME   the name after the colon in user ids; needed',
    '  --public-baseurl URL the address for clients',
    '  --port N             listen on this port of the loopback interface only',
    '  --local              for a node that one person tries out: logs for people, and a random registration.shared_secret',
    '  --output FILE        write there instead of to standard output; never overwrites',
  ],
  options: {
    'server-name': { type: 'string' },
    'public-baseurl': { type: 'string' },
    port: { type: 'string' },
    local: { type: 'boolean' },
    output: { type: 'string' },
  },
  run(options, io) {
    const serverName = options.text('server-name')
    if (serverName === undefined) throw new CliError('`--server-name NAME` is needed', EXIT.usage)
    const publicBaseurl = options.text('public-baseurl')
    const port = options.text('port')
    if (port !== undefined && !/^[0-9]{1,5}$/.test(port))
      throw new CliError('`--port` is not a port', EXIT.usage)
    const yaml = exampleConfig({
      server_name: serverName,
      ...(publicBaseurl === undefined ? {} : { public_baseurl: publicBaseurl }),
      ...(port === undefined ? {} : { listeners: [{ address: '127.0.0.1', port: Number(port) }] }),
      ...(options.has('local')
        ? { logging: { pretty: true }, registration: { shared_secret: systemRandom.string(40) } }
        : {}),
    })
    // What was given on the command line is checked like a file, before there is one.
    parseConfig(yaml, resolve(io.cwd, 'command line'), { env: {}, readFile: () => '' })
    const output = options.text('output')
    if (output === undefined) io.out(yaml.trimEnd())
    else writeNew(resolve(io.cwd, output), yaml, options.has('local') ? 0o600 : 0o640)
    return Promise.resolve(EXIT.ok)
  },
}

function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') throw new CliError(`${path} exists already; remove it first if you mean it`)
    throw new CliError(`${path} cannot be written (${code ?? String(error)})`)
  }
}
