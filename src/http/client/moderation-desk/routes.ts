import type { Route } from '../../route.js'
import { actOnCase, assignCase, closeCase, getCase, listCases } from './cases.js'

/** The desk of the moderators. */
export const moderationDeskRoutes: readonly Route[] = [listCases, getCase, assignCase, closeCase, actOnCase]
