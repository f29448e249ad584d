import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import {
  createSigner, generateSigningKey, parseKeyFile, readKeyFile, writeKeyFile, type RetiredSigningKey, type Signer, type SigningKey,
} from '../../platform/ed25519.js' // prettier-ignore
import type { Random } from '../../platform/random.js'

/** What a rotation did. */
export interface Rotation {
  readonly keyId: string
  /** Unpadded base64. */
  readonly publicKey: string
  /** The key that signed up to now. */
  readonly retired: RetiredSigningKey
}

/** The keys that sign for this server. */
export interface OwnKeys {
  /** Signs with the present key, whichever that is at the time: its id and its signature belong together within one turn of the event loop. */
  readonly signer: Signer
  /** The keys of before, the latest first. */
  retired(): readonly RetiredSigningKey[]
  /**
   * From now on another key signs; the present one goes to those of before. The file has it when the promise resolves. The new key is
   * made here, or is the first of `keyFile`, the text of a key file. Throws M_INVALID_PARAM for a key that cannot be used, M_UNKNOWN where
   * the file cannot be replaced.
   */
  rotate(keyFile?: string): Promise<Rotation>
}

export interface OwnKeysDeps {
  /** The key file. */
  readonly file: {
    read(): Promise<string>
    /** Whole or not at all, and on disk when it resolves. */
    replace(text: string): Promise<void>
  }
  /** Its text at the start. Throws where it is none. */
  readonly text: string
  /** Keys of before that the configuration names. */
  readonly configured?: readonly RetiredSigningKey[]
  readonly clock: Clock
  readonly random: Random
}

/** What a key document may list for other servers of this kind to read it. */
const MAX_RETIRED = 60
/** The old key signs while the file is written, and what it signs then must count after a restart too. */
const GRACE_MS = 60_000

export function createOwnKeys(deps: OwnKeysDeps): OwnKeys {
  const { file, configured = [], clock, random } = deps
  const start = readKeyFile(deps.text)
  let key = start.keys[0]!
  let present = createSigner(key)
  let past = start.retired
  let turn: Promise<unknown> = Promise.resolve()

  const retired = (): readonly RetiredSigningKey[] => {
    const inFile = new Set(past.map(({ keyId }) => keyId))
    return [...past, ...configured.filter(({ keyId }) => !inFile.has(keyId))].filter(
      ({ keyId }) => keyId !== present.keyId,
    )
  }

  function nextKey(given: string | undefined): SigningKey {
    const taken = new Set([present.keyId, ...retired().map(({ keyId }) => keyId)])
    const known = new Set([present.publicKey, ...retired().map(({ publicKey }) => publicKey)])
    if (given !== undefined) {
      const next = keyOf(given)
      // Other servers take a key id for one key for ever, and a key of before for one that is out of use.
      if (taken.has(`ed25519:${next.version}`) || known.has(createSigner(next).publicKey))
        throw new MatrixError('M_INVALID_PARAM', 'This key, or its id, signs already or has signed before')
      return next
    }
    let next = generateSigningKey(random)
    while (taken.has(`ed25519:${next.version}`)) next = generateSigningKey(random)
    return next
  }

  async function rotate(given: string | undefined): Promise<Rotation> {
    const unchanged = sameKey(await readOr(file), key)
    if (!unchanged)
      throw new MatrixError(
        'M_UNKNOWN',
        'The key file is not the one that this node started with: restart the node first',
      )
    if (retired().length >= MAX_RETIRED)
      throw new MatrixError('M_UNKNOWN', `${MAX_RETIRED} keys were retired already; more cannot be published`)
    const next = nextKey(given)
    const signer = createSigner(next)
    const last = { keyId: present.keyId, publicKey: present.publicKey, expiredTs: clock.now() + GRACE_MS }
    try {
      await file.replace(writeKeyFile(next, [last, ...past]))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message
      throw new MatrixError('M_UNKNOWN', `The key file cannot be replaced (${code}); nothing has changed`)
    }
    past = [last, ...past]
    key = next
    present = signer
    return { keyId: signer.keyId, publicKey: signer.publicKey, retired: last }
  }

  return {
    signer: {
      get keyId() {
        return present.keyId
      },
      get publicKey() {
        return present.publicKey
      },
      sign: (bytes) => present.sign(bytes),
    },
    retired,
    rotate(given) {
      const done = turn.then(() => rotate(given))
      turn = done.catch(() => undefined)
      return done
    },
  }
}

function keyOf(text: string): SigningKey {
  try {
    return parseKeyFile(text)[0]!
  } catch (error) {
    throw new MatrixError('M_INVALID_PARAM', `The new key: ${(error as Error).message}`)
  }
}

async function readOr(file: OwnKeysDeps['file']): Promise<string> {
  try {
    return await file.read()
  } catch {
    return ''
  }
}

function sameKey(text: string, key: SigningKey): boolean {
  try {
    const [first] = parseKeyFile(text)
    return first!.version === key.version && Buffer.from(first!.seed).equals(key.seed)
  } catch {
    return false
  }
}
