/** Bounds on what clients and other servers may send; far above what honest ones do. */
export const limits = {
  /** Bytes of canonical JSON. */
  deviceKeysBytes: 32_768,
  oneTimeKeyBytes: 4_096,
  crossSigningKeyBytes: 16_384,
  /** Members of `keys`, `algorithms`, and of `signatures` at each level. */
  keysPerObject: 100,
  oneTimeKeysPerUpload: 500,
  unclaimedOneTimeKeys: 2_000,
  usersPerQuery: 10_000,
  devicesPerClaim: 10_000,
  signaturesPerUpload: 1_000,
  /** Devices of one remote user that are kept. */
  remoteDevices: 1_000,
  /** Bytes of an answer of another server. */
  remoteAnswerBytes: 10 * 1024 * 1024,
  displayNameLength: 256,
} as const

/** Milliseconds. */
export const times = {
  defaultTimeout: 10_000,
  maxTimeout: 30_000,
  /** A server that just failed is not asked again by a client's query. */
  failureMemory: 3_000,
  /** The shortest time between two fetches of one remote list. */
  resyncInterval: 2_000,
  claimedKeysKept: 7 * 24 * 3_600_000,
} as const
