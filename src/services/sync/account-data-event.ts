import type { JsonObject } from '../../core/json/value.js'
import type { AccountDataRow } from '../../storage/tables/account-data.js'

export const accountDataEvent = (row: AccountDataRow): JsonObject => ({
  type: row.type,
  content: JSON.parse(row.content) as JsonObject,
})
