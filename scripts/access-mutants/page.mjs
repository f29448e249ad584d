import { RULES } from './mutants.mjs'

const WHY = `A rule that is not judged at a place cannot be broken there, or nobody could tell that it was:

- **handed-over**: the state of a room that is joined does not say what was before an event, so nobody can tell whether the rules were changed (\`access.rule.fixed\`, \`.change\`, \`.public\`, \`access.direct.people\`), or a door shut that was open (\`access.public\`); of addresses
  that were invited only those that were not redeemed are left (\`access.direct.kept\`). A redaction stands in no state.
- **received**: the create event of a room never comes by itself, but in the state of a room that is joined (\`access.create.external\`). Whoever receives events of a direct room is one of its two people, so no place is kept (\`access.direct.kept\`).
- **invited**: what an invite shows of a room are its rules and its creators.
- \`access.rule.late\` is for one's own users: to others a room that was made public late looks like one that was made so.`

/** docs/access-mutants.md */
export function accessMutantsPage(mutants) {
  const places = ['local', 'received', 'handed-over', 'invited']
  const cell = (rule, place) => {
    const mutant = mutants.find((one) => one.rule === rule && one.place === place)
    if (mutant === undefined) return 'not judged'
    return mutant.caughtBy === undefined ? '**survives**' : 'caught'
  }
  const table = (head, rows) =>
    [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
  return `# Each access rule, deleted

Made by \`node scripts/access-mutants.mjs --write\`: each access rule is deleted at each place where events are judged, one at a time, and the tests are run. All that users of this node do is \`local\` (sending, making and upgrading rooms, invites, joins, delayed events, application services,
administrators, and the templates that other servers ask for); every event from another server is \`received\`; states of rooms that are joined, and at gaps, are \`handed-over\`; \`invited\` is an invite to a room that this node is not in.

${table(
  ['rule', ...places],
  Object.keys(RULES).map((rule) => [`\`${rule}\``, ...places.map((place) => cell(rule, place))]),
)}

${WHY}

${table(
  ['deleted', 'the test that fails'],
  mutants.map(({ name, caughtBy }) => [name, caughtBy ?? '**none**']),
)}

${mutants.filter(({ caughtBy }) => caughtBy !== undefined).length} of ${mutants.length} are caught.
`
}
