import { parseNodeList } from '../../core/node-list/parse-node-list.js'
import { authorityJson, checks, listJson, listSigner, memberJson } from '../../core/node-list/testing.js'
import { hasLeft, type Member } from '../../core/node-list/types.js'
import type { JsonObject } from '../../core/json/value.js'
import { silentLogger } from '../../platform/logger.js'
import type { Clock } from '../../platform/clock.js'
import { FederationError, type FederationRequest } from '../federation/client.js'
import type { NodeListService } from '../node-list/node-list.js'
import { createCircleNodes, type CircleNodes } from './circle-nodes.js'

/** For tests: the members of a circle, with what each of them answers. */
export interface TestCircle {
  /** Answers of nodes by name; a node without one cannot be reached. */
  readonly answers: Map<string, (origin: string, request: FederationRequest) => Promise<JsonObject>>
  /** `ORIGIN DESTINATION`, in order. */
  readonly asked: string[]
  nodesOf(serverName: string, clock: Clock, waitMs?: number): CircleNodes
  clientOf(origin: string): { request(request: FederationRequest): Promise<JsonObject> }
}

/** `members`: names with further fields of their entries in the list. */
export function testCircle(members: Readonly<Record<string, JsonObject>>): TestCircle {
  const parsed = parseNodeList(
    Buffer.from(
      JSON.stringify(
        listJson({
          authorities: [authorityJson(1, 1, [listSigner('signer')])],
          members: Object.entries(members).map(([name, more]) => memberJson(name, more)),
        }),
      ),
    ),
    checks,
  )
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  const { list } = parsed
  const find = (name: string): Member | undefined => list.members.find((one) => one.serverName === name)
  const answers: TestCircle['answers'] = new Map()
  const asked: string[] = []
  return {
    answers,
    asked,
    nodesOf(serverName, clock, waitMs = 10_000) {
      const isHere = (member: Member): boolean => !hasLeft(member, clock.now())
      const nodeList: Pick<NodeListService, 'memberNames' | 'member' | 'roleOf'> = {
        memberNames: () => list.members.filter(isHere).map((member) => member.serverName),
        member: (name) => [find(name)].find((member) => member !== undefined && isHere(member)),
        roleOf: (name) => find(name)?.role,
      }
      return createCircleNodes({ clock, logger: silentLogger, serverName, nodeList, waitMs })
    },
    clientOf: (origin) => ({
      async request(request) {
        asked.push(`${origin} ${request.destination}`)
        const answer = answers.get(request.destination)
        if (answer === undefined) throw new FederationError('unreachable', 'no such node')
        return answer(origin, request)
      },
    }),
  }
}
