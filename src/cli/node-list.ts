import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { trustOf } from '../composition/trust.js'
import type { JsonObject } from '../core/json/value.js'
import { firstDraft, nextDraft, type DraftAuthority } from '../core/node-list/draft-node-list.js'
import { judgeNodeList } from '../core/node-list/judge-node-list.js'
import { parseNodeList } from '../core/node-list/parse-node-list.js'
import { nodeListDigest, signNodeList } from '../core/node-list/sign-node-list.js'
import { lastAuthority } from '../core/node-list/types.js'
import { systemClock } from '../platform/clock.js'
import { createSigner, parseKeyFile, verifySignatureBy } from '../platform/ed25519.js'
import { replaceFile } from '../platform/replace-file.js'
import { listChecks } from '../services/node-list/list-checks.js'
import {
  CliError,
  CONFIG_HELP,
  CONFIG_OPTION,
  EXIT,
  word,
  type CliIo,
  type Command,
  type Options,
} from './command.js'
import { configFrom } from './config-file.js'
import { readNodeList, readSigners } from './node-list-files.js'
import { diffLines, listLines, signatureLines } from './node-list-lines.js'

const DAY = 24 * 3_600_000

const written = (json: JsonObject): string => `${JSON.stringify(json, null, 2)}\n`

function wholeNumber(options: Options, name: string): number | undefined {
  const text = options.text(name)
  if (text === undefined) return undefined
  if (!/^[1-9][0-9]{0,3}$/.test(text))
    throw new CliError(`--${name} wants a whole number, not ${text}`, EXIT.usage)
  return Number(text)
}

function create(this: Command, options: Options, io: CliIo): number {
  const output = resolve(io.cwd, word(this, options, 1))
  const now = systemClock.now()
  const dates = { now, expiresAt: now + (wholeNumber(options, 'days') ?? 90) * DAY }
  const from = options.text('from')
  const signersFile = options.text('signers')
  const threshold = wholeNumber(options, 'threshold')
  const signers = signersFile === undefined ? undefined : readSigners(signersFile, io)
  const authorityOr = (others: DraftAuthority | undefined): DraftAuthority | undefined => {
    if (signers === undefined && threshold === undefined) return undefined
    const whose = signers ?? others?.signers ?? []
    return { signers: whose, threshold: threshold ?? others?.threshold ?? whose.length }
  }
  let draft: JsonObject
  if (from === undefined) {
    const circle = options.text('circle')
    if (circle === undefined || signers === undefined)
      throw new CliError('a first list needs --circle and --signers; a later one --from', EXIT.usage)
    draft = firstDraft(circle, authorityOr(undefined)!, dates)
  } else {
    const before = readNodeList(from, io)
    draft = nextDraft(before, dates, authorityOr(lastAuthority(before)))
  }
  const text = written(draft)
  const parsed = parseNodeList(text, listChecks)
  if (!parsed.ok)
    throw new CliError(
      ['that would be no node list:', ...parsed.faults.map(({ path, problem }) => `${path} ${problem}`)].join(
        '\n    ',
      ),
    )
  if (existsSync(output)) throw new CliError(`${output} is there already`)
  writeFileSync(output, text, { flag: 'wx' })
  io.out(`wrote ${output}: node list ${parsed.list.sequence} of ${parsed.list.circle}, not signed`)
  return EXIT.ok
}

async function sign(this: Command, options: Options, io: CliIo): Promise<number> {
  const file = word(this, options, 1)
  const [name, keyFile] = [options.text('name'), options.text('key')]
  if (name === undefined || keyFile === undefined)
    throw new CliError('who signs, and with which key? Give --name and --key', EXIT.usage)
  const list = readNodeList(file, io)
  const signer = signerOf(resolve(io.cwd, keyFile))
  const signed = signNodeList(list, { name, ...signer })
  if (signed === undefined)
    throw new CliError(
      `the list does not ask for a signature of ${name} with the key ${signer.keyId} ${signer.publicKey}`,
    )
  await replaceFile(resolve(io.cwd, file), written(signed))
  for (const line of signatureLines(readNodeList(file, { ...io, err: () => undefined }))) io.out(line)
  return EXIT.ok
}

function signerOf(path: string): ReturnType<typeof createSigner> {
  try {
    return createSigner(parseKeyFile(readFileSync(path, 'utf8'))[0]!)
  } catch (error) {
    throw new CliError(
      `${path} cannot be used (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
    )
  }
}

/** By the list before, or by the signers of the configuration. */
function verify(this: Command, options: Options, io: CliIo): number {
  const list = readNodeList(word(this, options, 1), io)
  const file = options.text('against')
  const before = file === undefined ? undefined : readNodeList(file, io)
  const trust = before === undefined ? trustOf(configFrom(options, io).config) : lastAuthority(before)
  if (trust.signers.length === 0)
    throw new CliError(
      'the configuration names no `node_list.trusted_signers`; give --against OLD',
      EXIT.config,
    )
  const verdict = judgeNodeList(list, {
    trust,
    held: before && { circle: before.circle, sequence: before.sequence, digest: nodeListDigest(before) },
    now: systemClock.now(),
    verify: verifySignatureBy,
  })
  for (const line of signatureLines(list)) io.out(line)
  if (!verdict.ok) throw new CliError(`a node would refuse it (${verdict.refusal}): ${verdict.reason}`)
  io.out(`node list ${list.sequence} of ${list.circle} is in order`)
  return EXIT.ok
}

function diff(this: Command, options: Options, io: CliIo): number {
  const lines = diffLines(readNodeList(word(this, options, 1), io), readNodeList(word(this, options, 2), io))
  for (const line of lines) io.out(line)
  if (lines.length === 0) io.out('members and signers are the same')
  return lines.length === 0 ? EXIT.ok : EXIT.failed
}

function show(this: Command, options: Options, io: CliIo): number {
  for (const line of listLines(readNodeList(word(this, options, 1), io))) io.out(line)
  return EXIT.ok
}

const ACTIONS = new Map<string, (this: Command, options: Options, io: CliIo) => number | Promise<number>>([
  ['create', create],
  ['sign', sign],
  ['verify', verify],
  ['diff', diff],
  ['show', show],
])

export const nodeList: Command = {
  name: 'node-list',
  summary: 'make, sign, check and compare lists of member nodes',
  words: ['create|sign|verify|diff|show', 'LIST', 'OTHER'],
  help: [
    '  create LIST         a first list: --circle NAME --signers FILE [--threshold N]',
    '                      the next one: --from OLD; with --signers or --threshold the signers change',
    '    --signers FILE    lines of `NAME KEYID PUBLICKEY`, as `chancery generate-key --output FILE` prints them',
    '    --days N          how long it is good for; default 90',
    '  sign LIST           --name NAME --key FILE: puts a signature into the list',
    '  verify LIST         whether a node with this configuration would take it; --against OLD: one that has that list',
    '  diff OLD NEW        exit code 1 where members or signers differ',
    '  show LIST',
    CONFIG_HELP,
    '',
    'A list is JSON: write the members into it with any editor, between `create` and `sign`. See docs/ministries.md.',
  ],
  options: {
    ...CONFIG_OPTION,
    circle: { type: 'string' },
    signers: { type: 'string' },
    threshold: { type: 'string' },
    from: { type: 'string' },
    days: { type: 'string' },
    name: { type: 'string' },
    key: { type: 'string' },
    against: { type: 'string' },
  },
  async run(options, io) {
    const action = word(this, options, 0)
    const act = ACTIONS.get(action)
    if (act === undefined)
      throw new CliError(`\`${action}\` is none of ${[...ACTIONS.keys()].join(', ')}`, EXIT.usage)
    if (action !== 'diff' && options.words.length > 2)
      throw new CliError(`\`${action}\` takes one list`, EXIT.usage)
    return act.call(this, options, io)
  },
}
