import type { Route } from '../route.js'
import { deletePushRule } from './push/delete-push-rule.js'
import { getNotifications } from './push/get-notifications.js'
import { getPushRule } from './push/get-push-rule.js'
import { getPushRuleActions } from './push/get-push-rule-actions.js'
import { getPushRules } from './push/get-push-rules.js'
import { getPushRulesGlobal } from './push/get-push-rules-global.js'
import { getPushers } from './push/get-pushers.js'
import { isPushRuleEnabled } from './push/is-push-rule-enabled.js'
import { postPusher } from './push/post-pusher.js'
import { setPushRule } from './push/set-push-rule.js'
import { setPushRuleActions } from './push/set-push-rule-actions.js'
import { setPushRuleEnabled } from './push/set-push-rule-enabled.js'

export const pushRuleRoutes: readonly Route[] = [
  getPushRules,
  getPushRulesGlobal,
  getPushRule,
  setPushRule,
  deletePushRule,
  isPushRuleEnabled,
  setPushRuleEnabled,
  getPushRuleActions,
  setPushRuleActions,
  getPushers,
  postPusher,
  getNotifications,
]
