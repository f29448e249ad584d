import { systemClock } from '../platform/clock.js'
import type { TokenInfo } from '../services/operator/operator.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type CliIo, type Command, type Options } from './command.js' // prettier-ignore
import { configFrom } from './config-file.js'

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90m`, `12h`, `7d`, or a time such as `2026-12-31T18:00Z`; as milliseconds since 1970. */
export function expiryTime(text: string, now: number): number {
  const span = /^([0-9]{1,6})([mhd])$/.exec(text)
  const time =
    span !== null
      ? now + Number(span[1]) * UNITS[span[2]!]!
      : /^\d{4}-\d\d-\d\d/.test(text)
        ? Date.parse(text)
        : NaN
  if (!Number.isFinite(time))
    throw new CliError(
      `\`${text}\` is no expiry; write \`12h\`, \`7d\` or a time such as \`2026-12-31T18:00Z\``,
      EXIT.usage,
    )
  if (time <= now) throw new CliError(`\`${text}\` has passed already`, EXIT.usage)
  return time
}

function uses(text: string): number {
  const count = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0
  if (count < 1) throw new CliError(`\`--uses ${text}\`: give a whole number from 1 on`, EXIT.usage)
  return count
}

export function tokenLine(token: TokenInfo, now: number): string {
  const left =
    token.usesAllowed === null ? 'any number of uses' : `${token.completed} of ${token.usesAllowed} used`
  const pending = token.pending === 0 ? '' : `, ${token.pending} under way`
  const expiry =
    token.expiresTs === null
      ? 'no expiry'
      : `${token.expiresTs <= now ? 'expired' : 'until'} ${new Date(token.expiresTs).toISOString()}`
  return `${token.token}  ${left}${pending}, ${expiry}`
}

function only(options: Options, action: string, allowed: readonly string[]): void {
  for (const name of ['token', 'uses', 'expires']) {
    if (options.text(name) !== undefined && !allowed.includes(name))
      throw new CliError(`\`${action}\` takes no \`--${name}\``, EXIT.usage)
  }
  if (action !== 'revoke' && options.words[1] !== undefined)
    throw new CliError(`\`${action}\` takes nothing after it but options`, EXIT.usage)
}

export const registrationToken: Command = {
  name: 'registration-token',
  summary: 'create, list or revoke tokens with which people may register',
  words: ['create|list|revoke', 'TOKEN'],
  help: [
    '  create              make a token and print it',
    '    --uses N          how many accounts may be made with it; default: any number',
    '    --expires WHEN    `12h`, `7d`, or a time such as `2026-12-31T18:00Z`; default: never',
    '    --token TEXT      this text, of 1 to 64 of A–Z a–z 0–9 . _ ~ -; default: a random one',
    '  list                show all tokens and how often they were used',
    '  revoke TOKEN        nobody can register with it any more; accounts that were made stay',
    CONFIG_HELP,
    '',
    'They are asked for while `registration.enabled` is true and `registration.flow` is `token`.',
  ],
  options: {
    ...CONFIG_OPTION,
    uses: { type: 'string' },
    expires: { type: 'string' },
    token: { type: 'string' },
  },
  async run(options, io) {
    const action = word(this, options, 0)
    switch (action) {
      case 'create':
        return create(options, io)
      case 'list':
        return list(options, io)
      case 'revoke':
        only(options, action, [])
        return revoke(options, io, word(this, options, 1))
      default:
        throw new CliError(`\`${action}\` is none of \`create\`, \`list\` and \`revoke\``, EXIT.usage)
    }
  },
}

async function create(options: Options, io: CliIo): Promise<number> {
  only(options, 'create', ['token', 'uses', 'expires'])
  const [token, count, expires] = ['token', 'uses', 'expires'].map((name) => options.text(name))
  const wish = {
    ...(token === undefined ? {} : { token }),
    ...(count === undefined ? {} : { usesAllowed: uses(count) }),
    ...(expires === undefined ? {} : { expiresTs: expiryTime(expires, systemClock.now()) }),
  }
  const { config } = configFrom(options, io)
  const { withOperator } = await import('./with-operator.js')
  const done = await withOperator(config, (operator) => operator.createToken(wish))
  io.out(done.value)
  const { enabled, flow } = config.registration
  if (!enabled || flow !== 'token')
    io.err(
      'note: nobody is asked for it: `registration.enabled` must be true and `registration.flow` be `token`',
    )
  return EXIT.ok
}

async function list(options: Options, io: CliIo): Promise<number> {
  only(options, 'list', [])
  const { config } = configFrom(options, io)
  const { withOperator } = await import('./with-operator.js')
  const { value } = await withOperator(config, (operator) => operator.listTokens())
  if (value.length === 0) io.out('there are no registration tokens')
  for (const token of value) io.out(tokenLine(token, systemClock.now()))
  return EXIT.ok
}

async function revoke(options: Options, io: CliIo, token: string): Promise<number> {
  const { config } = configFrom(options, io)
  const { withOperator } = await import('./with-operator.js')
  await withOperator(config, (operator) => operator.revokeToken(token))
  io.out(`revoked ${token}`)
  return EXIT.ok
}
