import { serverNameOf } from '../../core/ids/server-name-of.js'
import { folded, labelled } from '../../core/directory/person.js'
import { rankPeople, type RankedPerson } from '../../core/directory/rank-people.js'
import type { CircleNodes } from './circle-nodes.js'
import type { MemberPeople } from './member-people.js'
import type { OwnPeople } from './own-people.js'
import { shownPerson } from './shown-person.js'
import { MAX_RESULTS, type KnownPeople, type UserDirectory } from './user-directory.js'

/**
 * Finding people of all nodes of a circle, whether or not a room is shared with them: those of this node, those of the other nodes as each says,
 * and whom the searcher knows of rooms. Who belongs to another node bears the label that the node list gives that node.
 *
 * Of a node that answers, nobody else is shown: it knows who hides. Of one that does not, only who shares a room with the searcher.
 */
export function createCircleDirectory(deps: {
  readonly serverName: string
  readonly known: KnownPeople
  readonly own: OwnPeople
  readonly members: MemberPeople
  readonly nodes: CircleNodes
}): UserDirectory {
  const { serverName, known, own, members, nodes } = deps

  return {
    async search(searcher, term, limit) {
      // External people find nobody: others invite them.
      if (nodes.isExternal()) return { results: [], limited: false }
      const wanted = Math.min(limit, MAX_RESULTS)
      const [answers, ours, fromRooms] = await Promise.all([
        members.search(term, wanted),
        own.search(term, wanted),
        known.find(searcher, term, wanted),
      ])
      const shared = new Set(fromRooms.people.filter((one) => one.isKnown).map((one) => one.userId))
      const found: RankedPerson[] = []
      for (const person of [...ours.people, ...[...answers.values()].flatMap(({ people }) => people)])
        if (person.userId !== searcher) found.push({ ...person, isKnown: shared.has(person.userId) })
      for (const person of fromRooms.people) {
        const server = serverNameOf(person.userId)!
        if (answers.has(server)) continue
        if (person.isKnown || server === serverName || nodes.labelOf(server) === undefined) found.push(person)
      }
      const ranked = rankPeople(found, folded(term.trim()))
      const isCut =
        ranked.length > wanted ||
        ours.isCut ||
        fromRooms.isCut ||
        [...answers.values()].some((answer) => answer.isCut)
      return { results: ranked.slice(0, wanted).map((person) => shownPerson(named(person))), limited: isCut }
    },
  }

  function named(person: RankedPerson): RankedPerson {
    const server = serverNameOf(person.userId)!
    const label = server === serverName ? undefined : nodes.labelOf(server)
    if (label === undefined) return person
    return { ...person, name: labelled(person.name ?? person.userId, label) }
  }
}
