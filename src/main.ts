#!/usr/bin/env node
import { runCli } from './cli/run.js'

// Whoever reads the output may go (`chancery reports | head`); a node does its work all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

// Set, not called: what is still being written is written before the process ends by itself.
process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  env: process.env,
  cwd: process.cwd(),
})
