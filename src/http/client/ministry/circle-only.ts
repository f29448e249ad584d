import { MatrixError } from '../../../core/errors.js'
import type { NodeListService } from '../../../services/node-list/node-list.js'

/** The list of nodes, for what exists only where there is one. Throws M_UNRECOGNIZED. */
export function circleOnly(nodeList: NodeListService | undefined): NodeListService {
  if (nodeList === undefined)
    throw new MatrixError('M_UNRECOGNIZED', 'This server goes by no list of nodes', {}, 404)
  return nodeList
}

/** The same for members alone, who answer for what they ask. Throws M_FORBIDDEN. */
export function membersOnly(nodeList: NodeListService | undefined, origin: string): NodeListService {
  const list = circleOnly(nodeList)
  if (list.member(origin) === undefined)
    throw new MatrixError('M_FORBIDDEN', 'Only members of the node list may ask this')
  return list
}
