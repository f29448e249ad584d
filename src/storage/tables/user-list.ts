import { all, one, type Param, type Tx } from '../tx.js'

/** Accounts as administrators list them. Flags are 0 or 1; profile fields are JSON. */
export interface ListedUser {
  readonly user_id: string
  readonly created_ts: number
  readonly is_guest: number
  readonly is_admin: number
  readonly locked: number
  readonly suspended: number
  readonly deactivated: number
  readonly erased: number
  readonly displayname: string | null
  readonly avatar_url: string | null
  readonly last_seen_ts: number | null
}

export interface UserFilter {
  /** Part of the user id, in lower case. */
  readonly userId?: string | undefined
  /** Part of the localpart or the display name, in lower case (A–Z alone). */
  readonly name?: string | undefined
  /** Only those with the flag, or only those without. */
  readonly guests?: boolean | undefined
  readonly admins?: boolean | undefined
  readonly deactivated?: boolean | undefined
  readonly locked?: boolean | undefined
  readonly suspended?: boolean | undefined
}

const ORDERS = {
  name: 'user_id',
  is_guest: 'is_guest',
  admin: 'is_admin',
  deactivated: 'deactivated',
  displayname: "COALESCE(displayname, '')",
  avatar_url: "COALESCE(avatar_url, '')",
  creation_ts: 'created_ts',
  last_seen_ts: 'COALESCE(last_seen_ts, 0)',
} as const
export type UserOrder = keyof typeof ORDERS

/** Text that `LIKE … ESCAPE '!'` takes as it stands. */
const literal = (text: string): string => text.replaceAll(/[!%_]/g, (character) => `!${character}`)
const profileField = (field: 'displayname' | 'avatar_url'): string =>
  `(SELECT p.value FROM profiles p WHERE p.user_id = u.user_id AND p.field = '${field}')`

function conditions(filter: UserFilter): { readonly where: string; readonly params: Param[] } {
  const terms: string[] = []
  const params: Param[] = []
  const flag = (column: string, wanted: boolean | undefined): void => {
    if (wanted !== undefined) terms.push(`u.${column} = ${Number(wanted)}`)
  }
  flag('is_guest', filter.guests)
  flag('is_admin', filter.admins)
  flag('deactivated', filter.deactivated)
  flag('locked', filter.locked)
  flag('suspended', filter.suspended)
  if (filter.name !== undefined) {
    terms.push(
      `(LOWER(u.user_id) LIKE ? ESCAPE '!' OR LOWER(${profileField('displayname')}) LIKE ? ESCAPE '!')`,
    )
    // Profile fields are kept as JSON text.
    params.push(`@%${literal(filter.name)}%:%`, `"%${literal(JSON.stringify(filter.name).slice(1, -1))}%"`)
  } else if (filter.userId !== undefined) {
    terms.push(`LOWER(u.user_id) LIKE ? ESCAPE '!'`)
    params.push(`%${literal(filter.userId)}%`)
  }
  return { where: terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`, params }
}

/** One page. Orders other than by name, and filters, look at every account. */
export function* usersPage(
  filter: UserFilter,
  page: {
    readonly order: UserOrder
    readonly descending: boolean
    readonly limit: number
    readonly offset: number
  },
): Tx<readonly ListedUser[]> {
  const { where, params } = conditions(filter)
  const direction = page.descending ? 'DESC' : 'ASC'
  const order = `${ORDERS[page.order]} ${direction}, user_id ASC`
  return yield* all<ListedUser>(
    `SELECT * FROM (SELECT u.user_id, u.created_ts, u.is_guest, u.is_admin, u.locked, u.suspended, u.deactivated, u.erased,
       ${profileField('displayname')} AS displayname, ${profileField('avatar_url')} AS avatar_url,
       (SELECT MAX(d.last_seen_ts) FROM devices d WHERE d.user_id = u.user_id) AS last_seen_ts
       FROM users u ${where}) listed
     ORDER BY ${order} LIMIT ? OFFSET ?`,
    ...params,
    page.limit,
    page.offset,
  )
}

export function* countUsers(filter: UserFilter): Tx<number> {
  const { where, params } = conditions(filter)
  const row = yield* one<{ n: number }>(`SELECT COUNT(*) AS n FROM users u ${where}`, ...params)
  return row!.n
}
