import { stringify } from 'yaml'
import { asNode, type Node } from './fields.js'
import { ConfigSchema } from './schema.js'
import { secretVariable } from './secrets.js'

const WIDTH = 110

const HEADER = `Configuration of a Chancery node. Generated from src/config/schema.ts by \`chancery generate-config\`.

A key that is commented out (\`#key: value\`) has the value that is shown, unless it says "no default" or "secret".
Durations: 500ms, 30s, 5m, 2h, 7d, 2w. Sizes: bytes, or 64K, 50M, 2G (powers of 1024).
Relative paths start at the folder of this file.
A key marked "secret" may instead be read from a file (\`<key>_file: PATH\`) or from the environment variable named there.
Check the file with \`chancery check-config\`.`

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines
}

const comment = (text: string, indent: string): string[] =>
  wrap(text, WIDTH - indent.length - 2).map((line) => `${indent}#${line === '' ? '' : ` ${line}`}`)

function choices(node: Node): string {
  return node.enum === undefined ? '' : ` One of ${node.enum.map(String).join(', ')}.`
}

function notes(node: Node, path: readonly string[]): string {
  const out = [`${node.description ?? ''}${choices(node)}`]
  if (node.format === 'data-path') out.push('Relative to `data_dir`.')
  if (node.secret === true) out.push(`Secret: also \`${path.at(-1)}_file\` or ${secretVariable(path)}.`)
  if (!Object.hasOwn(node, 'default') && node.secret !== true) out.push('No default.')
  return out.join(' ')
}

/** Sections whose keys all have defaults are written out; everything in them is commented out. */
function isSection(node: Node): boolean {
  return node.properties !== undefined
}

type Values = Readonly<Record<string, unknown>>

function emit(key: string, node: Node, path: readonly string[], values: Values): string[] {
  const indent = '  '.repeat(path.length - 1)
  const set = Object.hasOwn(values, key)
  if (isSection(node)) {
    const inside = set ? (values[key] as Values) : {}
    const inner = Object.entries(node.properties!).flatMap(([name, property]) =>
      emit(name, property, [...path, name], inside),
    )
    return [...comment(node.description ?? '', indent), `${indent}${key}:`, ...inner]
  }
  const shown = set
    ? values[key]
    : Object.hasOwn(node, 'default')
      ? exampleOf(node)
      : (node.example ?? 'a long random text')
  const yaml = stringify({ [key]: shown }, { lineWidth: WIDTH, flowCollectionPadding: true }).trimEnd()
  const lines = yaml.split('\n').map((line) => `${indent}${set ? '' : '#'}${line}`)
  return [...comment(notes(node, path), indent), ...lines]
}

/** A default with the defaults of what is inside, so that the file shows what there is to set. */
function exampleOf(node: Node): unknown {
  if (node.items?.properties === undefined || !Array.isArray(node.default)) return fill(node, node.default)
  const items = node.items
  return node.default.map((item) => fill(items, item))
}

function fill(node: Node, value: unknown): unknown {
  if (node.anyOf !== undefined && typeof value === 'object' && value !== null) {
    return fill(
      node.anyOf.find((branch) => branch.properties !== undefined)!,
      value,
    )
  }
  if (node.properties === undefined || typeof value !== 'object' || value === null) return value
  const out: Record<string, unknown> = { ...value }
  for (const [key, property] of Object.entries(node.properties)) {
    if (out[key] === undefined && Object.hasOwn(property, 'default'))
      out[key] = fill(property, property.default)
  }
  return out
}

/** The example file: every key with its description and default, and those of `values`, shaped like the file, set. */
export function exampleConfig(values: Values): string {
  const sections = Object.entries(asNode(ConfigSchema).properties!).map(([key, node]) =>
    emit(key, node, [key], values).join('\n'),
  )
  return `${comment(HEADER, '').join('\n')}\n\n${sections.join('\n\n')}\n`
}
