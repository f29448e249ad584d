import { invalidParam, MatrixError } from '../../core/errors.js'
import { isServerName } from '../../core/ids/server-name.js'
import { parseUserId } from '../../core/ids/user-id.js'
import type { Logger } from '../../platform/logger.js'
import { createPace } from '../../platform/pace.js'
import { peopleAfter } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { ServerNotices } from '../server-notices/server-notices.js'
import { argument, type Act, type Commander, type CommandResult } from './act.js'

export interface NoticeActDeps {
  readonly store: Store
  readonly logger: Pick<Logger, 'warn'>
  readonly serverName: string
  readonly serverNotices: Pick<ServerNotices, 'send'>
  /** Accounts that nobody reads. */
  readonly ownAccounts: ReadonlySet<string>
}

const MAX_NAMED = 100
const BATCH = 200
/** People who could not be told that an answer names. */
const MAX_FAILED = 20

/** Whom a notice is for. */
interface Audience {
  readonly everybody: boolean
  readonly users: readonly string[]
  /** Of other servers: their own nodes tell them. */
  readonly elsewhere: readonly string[]
}

/** A notice of the server to everybody, some users, or everybody of some servers, of which this one tells its own people. */
export function noticeAct(deps: NoticeActDeps) {
  const { store, logger, serverName, serverNotices } = deps

  /** Throws M_INVALID_PARAM. */
  function audienceOf(text: string): Audience {
    if (text === 'all') return { everybody: true, users: [], elsewhere: [] }
    const names = [...new Set(text.split(',').filter((name) => name !== ''))]
    if (names.length === 0 || names.length > MAX_NAMED)
      throw invalidParam(`A notice goes to \`all\`, or to at most ${MAX_NAMED} users or servers`)
    const users: string[] = []
    const elsewhere: string[] = []
    let everybody = false
    for (const name of names) {
      if (name === serverName) everybody = true
      else if (name.startsWith('@')) {
        if (parseUserId(name)?.domain !== serverName) throw invalidParam(`${name} is no user of this server`)
        users.push(name)
      } else if (isServerName(name)) elsewhere.push(name)
      else throw invalidParam(`${name} is neither \`all\` nor a user id nor the name of a server`)
    }
    if (!everybody && users.length === 0)
      throw invalidParam(`This node tells people of ${serverName} alone: give the command to the other nodes`)
    return { everybody, users, elsewhere }
  }

  /** Whoever was told by this command is not told again, however often it begins anew. */
  async function tell(by: Commander, userId: string, body: string): Promise<boolean> {
    try {
      await serverNotices.send({
        userId,
        content: { msgtype: 'm.text', body },
        once: { admin: by.userId, txnId: by.requestId },
      })
      return true
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      logger.warn({ err: error, userId }, 'a notice did not reach a user')
      return false
    }
  }

  async function* people({ everybody, users }: Audience): AsyncGenerator<string> {
    if (!everybody) {
      yield* users
      return
    }
    for (let after = ''; ;) {
      const from = after
      const page = await store.read('commands.people', () => peopleAfter(from, BATCH))
      yield* page.filter((userId) => !deps.ownAccounts.has(userId))
      if (page.length < BATCH) return
      after = page.at(-1)!
    }
  }

  const serverNotice: Act = {
    plan(_by, given) {
      const audience = audienceOf(argument(given, 'to'))
      const { everybody, users, elsewhere } = audience
      const whom = everybody ? `everybody of ${serverName}` : users.join(', ')
      const others =
        elsewhere.length === 0 ? '' : ` People of ${elsewhere.join(', ')} are told by their own nodes alone.`
      return Promise.resolve({
        arguments: given,
        will: `The server tells ${whom}: “${argument(given, 'text')}”${others}`,
      })
    },
    async run(by, planned): Promise<CommandResult> {
      const audience = audienceOf(argument(planned, 'to'))
      const body = argument(planned, 'text')
      const failed: string[] = []
      let told = 0
      let missed = 0
      const pace = createPace()
      for await (const userId of people(audience)) {
        by.signal.throwIfAborted()
        await pace()
        if (await tell(by, userId, body)) told++
        else {
          missed++
          if (failed.length < MAX_FAILED) failed.push(userId)
        }
      }
      return {
        words: `${told} ${told === 1 ? 'person was' : 'people were'} told${missed === 0 ? '' : `, ${missed} could not be`}.`,
        details: { told, failed: missed, ...(missed === 0 ? {} : { not_told: failed }) },
      }
    },
  }
  return serverNotice
}
