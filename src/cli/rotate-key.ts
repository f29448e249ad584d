import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { readKeyFile } from './key-file.js'

export const rotateKey: Command = {
  name: 'rotate-key',
  summary: 'sign with another key from now on, and publish the present one as one of before',
  help: [
    '  --key FILE          the new key, as `generate-key --output FILE` wrote it; default: one is made',
    CONFIG_HELP,
    '',
    'A running node signs with the new key at once. The file of `signing_key_path` is replaced, and keeps the public half of',
    'the old key: make a backup afterwards. Servers that have pinned your keys refuse you until they know the new one, so make',
    'it beforehand, tell them its id and public half, and hand it over here when they have them.',
  ],
  options: { ...CONFIG_OPTION, key: { type: 'string' } },
  async run(options, io) {
    const { config } = configFrom(options, io)
    const given = options.text('key')
    const keyFile = given === undefined ? undefined : textOf(resolve(io.cwd, given))
    const { withOperator } = await import('./with-operator.js')
    const { value, where } = await withOperator(config, (operator) => operator.rotateKey(keyFile))
    const at =
      where === 'in the database' ? 'from the next start of the node' : 'the running node does already'
    io.out(`this server signs with another key: ${at}`)
    io.out(`key id: ${value.keyId}`)
    io.out(`public key: ${value.publicKey}`)
    io.out(`retired: ${value.retired.keyId}`)
    io.out(`${config.signing_key_path} has changed: make a backup`)
    return EXIT.ok
  },
}

function textOf(path: string): string {
  readKeyFile(path)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(`${path} cannot be read (${(error as Error).message})`)
  }
}
