import { parsePattern, PatternError, type PatternNode, type Range } from './parse-pattern.js'

/**
 * A regular expression of an operator, tried on texts of strangers. All ways through it are followed side by side, so its time grows with
 * the length of the text, whatever the expression: none can be made to run for ever, as those of the language can.
 */
export interface Pattern {
  readonly source: string
  /** Whether some beginning of the text matches: the expression is anchored at the start, and at the end only by its own `$`. */
  matches(text: string): boolean
}

export type CompiledPattern =
  { readonly ok: true; readonly pattern: Pattern } | { readonly ok: false; readonly reason: string }

type Step =
  | { readonly op: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean; next: number }
  | { readonly op: 'fork'; next: number; other: number }
  | { readonly op: 'start' | 'end'; next: number }
  | { readonly op: 'accept' }

const MAX_STEPS = 3_000

/** Gives a reason, a sentence without its subject, where the text is no expression that is understood here. */
export function compilePattern(source: string): CompiledPattern {
  try {
    const { node, ignoreCase } = parsePattern(source)
    const steps: Step[] = []
    const first = emit(steps, node, add(steps, { op: 'accept' }))
    return { ok: true, pattern: { source, matches: (text) => matches(steps, first, text, ignoreCase) } }
  } catch (error) {
    if (error instanceof PatternError) return { ok: false, reason: error.message }
    throw error
  }
}

function add(steps: Step[], step: Step): number {
  if (steps.length >= MAX_STEPS) throw new PatternError('is too large once its repetitions are written out')
  return steps.push(step) - 1
}

/** Adds the steps of a node that go on at `next`; gives the first. */
function emit(steps: Step[], node: PatternNode, next: number): number {
  switch (node.kind) {
    case 'set':
      return add(steps, { op: 'set', ranges: node.ranges, negated: node.negated, next })
    case 'start':
    case 'end':
      return add(steps, { op: node.kind, next })
    case 'concat': {
      let first = next
      for (let i = node.parts.length - 1; i >= 0; i--) first = emit(steps, node.parts[i]!, first)
      return first
    }
    case 'either': {
      let first = emit(steps, node.parts.at(-1)!, next)
      for (let i = node.parts.length - 2; i >= 0; i--)
        first = add(steps, { op: 'fork', next: emit(steps, node.parts[i]!, next), other: first })
      return first
    }
    case 'repeat':
      return emitRepeat(steps, node, next)
  }
}

function emitRepeat(
  steps: Step[],
  { part, min, max }: Extract<PatternNode, { kind: 'repeat' }>,
  next: number,
): number {
  let first = next
  if (max === Infinity) {
    const loop = add(steps, { op: 'fork', next, other: next })
    const body = emit(steps, part, loop)
    steps[loop] = { op: 'fork', next: body, other: next }
    first = loop
  } else {
    for (let i = min; i < max; i++)
      first = add(steps, { op: 'fork', next: emit(steps, part, first), other: next })
  }
  for (let i = 0; i < min; i++) first = emit(steps, part, first)
  return first
}

const within = (ranges: readonly Range[], point: number): boolean =>
  ranges.some(([low, high]) => point >= low && point <= high)

function matches(steps: readonly Step[], first: number, text: string, ignoreCase: boolean): boolean {
  const chars = Array.from(text)
  let current = reach(steps, [first], true, chars.length === 0)
  for (const [at, char] of chars.entries()) {
    if (current === 'accepted') return true
    if (current.length === 0) return false
    const points = [char.codePointAt(0)!]
    if (ignoreCase) points.push(char.toLowerCase().codePointAt(0)!, char.toUpperCase().codePointAt(0)!)
    const following: number[] = []
    for (const index of current) {
      const step = steps[index]!
      if (step.op === 'set' && points.some((point) => within(step.ranges, point)) !== step.negated)
        following.push(step.next)
    }
    current = reach(steps, following, false, at === chars.length - 1)
  }
  return current === 'accepted'
}

/** The steps that wait for a character, from these on; or that the end is among them. */
function reach(
  steps: readonly Step[],
  from: readonly number[],
  atStart: boolean,
  atEnd: boolean,
): number[] | 'accepted' {
  const seen = new Uint8Array(steps.length)
  const waiting: number[] = []
  const stack = [...from]
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (seen[index] === 1) continue
    seen[index] = 1
    const step = steps[index]!
    if (step.op === 'accept') return 'accepted'
    if (step.op === 'set') waiting.push(index)
    else if (step.op === 'fork') stack.push(step.next, step.other)
    else if (step.op === 'start' ? atStart : atEnd) stack.push(step.next)
  }
  return waiting
}
