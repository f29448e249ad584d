/**
 * The deletions. A place is where verdicts of the access rules are taken: `find` stands in the file exactly once, and `skip` gives what stands there
 * when one rule counts no more.
 */
const MATRIX = 'src/services/replication/access-matrix.test.ts'
const HANDSHAKES = 'src/services/replication/access.test.ts'

const PLACES = {
  local: {
    file: 'src/services/rooms/local-event.ts',
    find: 'if (allowed.ok) return',
    skip: (rule) => `if (allowed.ok || allowed.rule === '${rule}') return`,
  },
  received: {
    file: 'src/services/rooms/apply-event.ts',
    find: '? judgeAccess(room, event, root, readers, deps.access)',
    skip: (rule) =>
      `? judgeAccess(room, event, root, readers, deps.access).then((one) => (one.ok || one.rule !== '${rule}' ? one : ALLOW))`,
  },
  'handed-over': {
    file: 'src/services/replication/history/check-state.ts',
    find: 'if (!outcome.ok) rejected.set(event.id, outcome.rule)\n    judged.set(event.id, { event, rejected: !outcome.ok })',
    skip: (rule) =>
      `const bad = !outcome.ok && outcome.rule !== '${rule}'\n    if (bad) rejected.set(event.id, outcome.rule)\n    judged.set(event.id, { event, rejected: bad })`,
  },
  invited: {
    file: 'src/services/replication/serving/serve-invite.ts',
    find: 'if (!allowed.ok) throw accessRefused(allowed)',
    skip: (rule) => `if (!allowed.ok && allowed.rule !== '${rule}') throw accessRefused(allowed)`,
  },
}

const LIVE = ['local', 'received']
const ALL = ['local', 'received', 'handed-over']
/** Where each rule is judged; why not elsewhere says `page.mjs`. */
export const RULES = {
  'access.external': [...ALL, 'invited'],
  'access.external.uninvited': ALL,
  'access.create.external': ['local', 'handed-over', 'invited'],
  'access.levels': ALL,
  'access.levels.invite': ALL,
  'access.rule.unknown': ALL,
  'access.rule.fixed': LIVE,
  'access.rule.change': LIVE,
  'access.rule.public': LIVE,
  'access.rule.late': ['local'],
  'access.direct.people': LIVE,
  'access.direct.third': ALL,
  'access.direct.kept': ['local'],
  'access.direct.profile': ALL,
  'access.direct.public': ALL,
  'access.public': LIVE,
  'access.encryption': ALL,
  'access.guests': ALL,
  'access.redaction': LIVE,
  'access.move': ALL,
}

/** What a client asks for when it makes a room, and other words of the rules that no event bears. */
const OTHERS = [
  { name: 'creation: rule unknown', line: 'if (rule === undefined) throw invalidParam(' },
  { name: 'creation: is_direct and direct', line: "if (isDirect !== (rule === 'direct')) throw invalidParam(" },
  { name: 'creation: listed and not restricted', line: "if (visibility === 'public' && rule !== 'restricted')\n    throw invalidParam(" },
  { name: 'creation: direct and open', line: "if (isOpen && rule === 'direct') throw invalidParam(" },
  { name: 'creation: levels below the defaults', line: 'if (number !== undefined && number < least)\n        throw invalidParam(' },
].map(({ name, line }) => ({
  name,
  file: 'src/services/rooms/access-at-creation.ts',
  find: line,
  replace: line.replace('throw invalidParam(', 'void ('),
  tests: [HANDSHAKES],
  pattern: 'are made by what goes together',
})) // prettier-ignore

const MORE = [
  {
    name: 'creation: trust makes no external creator',
    file: 'src/services/rooms/access-at-creation.ts',
    find: 'policy === undefined ? invited :',
    replace: 'policy !== undefined ? invited :',
    tests: [HANDSHAKES],
    pattern: 'are not made by external people',
  },
  {
    name: 'creation: encrypted, and shown since the invite',
    file: 'src/services/rooms/access-at-creation.ts',
    find: 'initial_state: [...rest, ...added,',
    replace: 'initial_state: [...rest,',
    tests: [HANDSHAKES],
    pattern: 'are restricted unless they say otherwise',
  },
  {
    name: 'listing: access.listing',
    file: 'src/services/directory/public-rooms.ts',
    find: "if (roomAccess(rules?.event.content).rule !== 'restricted')",
    replace: 'if (false)',
    tests: ['src/composition/access-rules.test.ts'],
    pattern: 'lists restricted rooms alone',
  },
  {
    name: 'leaving: access.last_administrator',
    file: 'src/services/rooms/last-administrator.ts',
    find: "if (rule === 'refuse' && !isForGood) {",
    replace: 'if (false) {',
    tests: ['src/services/rooms/last-administrator.test.ts'],
    pattern: 'is kept, in words for them',
  },
  {
    name: 'leaving: access.last_administrator.levels',
    file: 'src/services/rooms/send.ts',
    find: 'await refuseWithoutAdministrator(room, draft, context.lastAdministrator, context)',
    replace: '',
    tests: ['src/services/rooms/last-administrator.test.ts'],
    pattern: 'does not take their own powers',
  },
]

export function accessMutants() {
  const judged = Object.entries(RULES).flatMap(([rule, places]) =>
    places.map((place) => {
      const { file, find, skip } = PLACES[place]
      const inMatrix = place !== 'invited'
      return {
        name: `${place}: ${rule}`,
        ...{ rule, place, file, find },
        replace: skip(rule),
        tests: inMatrix ? [MATRIX] : [HANDSHAKES],
        pattern: inMatrix
          ? `${place} ${rule.replaceAll('.', '\\.')}:`
          : rule === 'access.external'
            ? 'refuse the invite of an external person to a room that shows no rule'
            : 'that an external person has made are entered by nobody',
      }
    }),
  )
  return [...judged, ...OTHERS, ...MORE]
}

/** The text of the file with the deletion. Throws where its place is not there, or more than once. */
export function mutated({ name, find, replace }, text) {
  if (text.split(find).length !== 2)
    throw new Error(`${name}: its place is there ${text.split(find).length - 1} times`)
  return text.replace(find, () => replace)
}
