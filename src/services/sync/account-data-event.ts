import type { JsonObject } from '../../core/json/value.js'
import type { AccountDataRow } from '../../storage/tables/account-data.js'
import { pushRulesContent, type PushRules } from '../push/push-rules.js'

export const accountDataEvent = (row: AccountDataRow): JsonObject => ({
  type: row.type,
  content: JSON.parse(row.content) as JsonObject,
})

export const PUSH_RULES = 'm.push_rules'

/** Users who never changed their push rules have none among their data; clients want the event all the same. */
export async function missingPushRules(
  pushRules: PushRules,
  userId: string,
  data: readonly AccountDataRow[],
): Promise<readonly JsonObject[]> {
  if (data.some((row) => row.room_id === '' && row.type === PUSH_RULES)) return []
  return [{ type: PUSH_RULES, content: pushRulesContent(await pushRules.of(userId)) }]
}
