import type { UserAdministration } from './users.js'
import type { UserData } from './user-data.js'

/** What the endpoints of administrators need beyond what there is for users and for the command line. */
export interface Administration {
  readonly users: UserAdministration
  readonly userData: UserData
}
