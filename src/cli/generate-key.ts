import { resolve } from 'node:path'
import { CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { createKeyFile } from './key-file.js'

export const generateKey: Command = {
  name: 'generate-key',
  summary: 'make the key that signs for this server',
  help: [
    '  --output FILE       where to write it; default: `signing_key_path` of the configuration',
    CONFIG_HELP,
    '',
    'Prints the id and the public half. Keep a copy of the file in a safe place.',
  ],
  options: { ...CONFIG_OPTION, output: { type: 'string' } },
  run(options, io) {
    const output = options.text('output')
    const path =
      output === undefined ? configFrom(options, io).config.signing_key_path : resolve(io.cwd, output)
    const { keyId, publicKey } = createKeyFile(path)
    io.out(`wrote ${path}`)
    io.out(`key id: ${keyId}`)
    io.out(`public key: ${publicKey}`)
    return Promise.resolve(EXIT.ok)
  },
}
