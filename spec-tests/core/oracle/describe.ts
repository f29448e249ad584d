import type { Difference } from './compare.js'
import { encodeJson } from './encode-json.js'
import type { Run } from './run.js'

/** A difference for a person: what is compared, what each side says, and the smallest room in which it shows. */
export function describeDifference(difference: Difference, run: Run | undefined): string {
  const { about, rules, place, ours, theirs, pdu } = difference
  const lines = [`version ${rules.id}, ${about} of #${place}`, `  ours:   ${ours}`, `  theirs: ${theirs}`]
  if (run === undefined) return [...lines, `  ${encodeJson(pdu)}`].join('\n')
  for (const [at, blueprint] of run.blueprints.entries()) {
    const judged = run.model.judged[at]!
    const before = [...judged.before.values()].map((id) => run.model.placeOf(id)).join()
    const key = blueprint.stateKey === undefined ? '' : ` ${JSON.stringify(blueprint.stateKey)}`
    lines.push(
      `  #${at} ${blueprint.type}${key} by ${blueprint.sender} ${encodeJson(judged.event.content)}`,
      `     prev ${blueprint.prev.join()} auth ${blueprint.auth.join()} depth ${encodeJson(blueprint.depth)} ts ${encodeJson(blueprint.ts)}` +
        ` before ${before} → ${judged.ok ? 'ok' : `${judged.stage} ${judged.rule}`}${blueprint.outlier === true ? ' (outlier)' : ''}`,
    )
  }
  return lines.join('\n')
} // prettier-ignore
