/** A person at a device: a logged-in matrix-js-sdk client with Rust crypto, and what people do with it. */
import { createClient } from 'matrix-js-sdk'
import { CryptoEvent, decodeRecoveryKey, VerificationPhase } from 'matrix-js-sdk/lib/crypto-api/index.js'
import { VerifierEvent } from 'matrix-js-sdk/lib/crypto-api/verification.js'
import { decryptAttachment, encryptAttachment } from './attachment.mjs'

const PATIENCE_MS = 40_000

/** The SDK tells everything it does; only what a person would see in the console is passed on, and only on demand. */
const quiet = () => {}
const logger = {
  trace: quiet,
  debug: quiet,
  info: quiet,
  log: quiet,
  warn: process.env.CHANCERY_SDK_LOG === undefined ? quiet : console.error,
  error: process.env.CHANCERY_SDK_LOG === undefined ? quiet : console.error,
  getChild: () => logger,
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Polls what the client already knows until it gives something. */
async function until(what, look, ms = PATIENCE_MS) {
  const end = Date.now() + ms
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== null && found !== false) return found
    if (Date.now() > end) {
      const seen = typeof what === 'function' ? what() : what
      throw new Error(`not within ${ms} ms: ${seen}`)
    }
    await sleep(40)
  }
}

/** An event as the tests compare it. */
function plain(event) {
  return {
    id: event.getId(),
    sender: event.getSender(),
    type: event.getType(),
    wireType: event.getWireType(),
    content: event.getContent(),
    failure: event.isDecryptionFailure() ? event.decryptionFailureReason : undefined,
  }
}

/** A `fetch` that can be cut off. */
function createNetwork() {
  let cable = new AbortController()
  return {
    fetch: (input, init = {}) => {
      const signals = [cable.signal, init.signal].filter((signal) => signal instanceof AbortSignal)
      return fetch(input, { ...init, signal: AbortSignal.any(signals) })
    },
    cut: () => cable.abort(new TypeError('the network is gone')),
    restore: () => {
      cable = new AbortController()
    },
  }
}

export async function createPerson({ url, user, password, deviceName = 'test' }) {
  const login = await createClient({ baseUrl: url, logger }).loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password,
    initial_device_display_name: deviceName,
  })
  let secretStorageKey
  const network = createNetwork()
  const client = createClient({
    baseUrl: url,
    userId: login.user_id,
    deviceId: login.device_id,
    accessToken: login.access_token,
    logger,
    fetchFn: network.fetch,
    cryptoCallbacks: {
      getSecretStorageKey: async ({ keys }) => {
        const [keyId] = Object.keys(keys)
        return secretStorageKey === undefined ? null : [keyId, secretStorageKey]
      },
      cacheSecretStorageKey: (_id, _info, key) => {
        secretStorageKey = key
      },
    },
  })
  await client.initRustCrypto({ useIndexedDB: false })
  const crypto = client.getCrypto()
  const requests = []
  client.on(CryptoEvent.VerificationRequestReceived, (request) => requests.push(request))

  const roomOf = (roomId) => until(`room ${roomId} of ${login.user_id}`, () => client.getRoom(roomId))

  async function start() {
    await client.startClient({ initialSyncLimit: 10, pollTimeout: 10_000, threadSupport: true })
    await until('first sync', () => ['PREPARED', 'SYNCING'].includes(client.getSyncState()))
  }

  function events(room) {
    return room.getLiveTimeline().getEvents()
  }

  const person = {
    userId: login.user_id,
    deviceId: login.device_id,
    client,
    requests,

    /** Off line as in a tunnel: what is under way breaks, nothing more gets through. The client goes on trying. */
    goOffline() {
      network.cut()
    },

    goOnline() {
      network.restore()
      client.retryImmediately()
    },

    async createRoom(options) {
      return (await client.createRoom(options)).room_id
    },

    async createEncryptedRoom(options = {}) {
      const roomId = await person.createRoom({
        preset: 'private_chat',
        initial_state: [
          { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
        ],
        ...options,
      })
      await until('the room is known to be encrypted', async () => {
        return client.getRoom(roomId) !== null && (await crypto.isEncryptionEnabledInRoom(roomId))
      })
      return roomId
    },

    async invite(roomId, userId) {
      await client.invite(roomId, userId)
    },

    async waitForInvite(roomId) {
      await until(`invited to ${roomId}`, () => client.getRoom(roomId)?.getMyMembership() === 'invite')
    },

    async join(roomIdOrAlias, viaServers) {
      const room = await client.joinRoom(roomIdOrAlias, viaServers === undefined ? {} : { viaServers })
      await until('joined', () => client.getRoom(room.roomId)?.getMyMembership() === 'join')
      return room.roomId
    },

    async leave(roomId) {
      await client.leave(roomId)
    },

    /** Waits until this device sees the other person as joined. */
    async waitForMember(roomId, userId) {
      const room = await roomOf(roomId)
      await until(`${userId} in ${roomId}`, async () => {
        await room.loadMembersIfNeeded()
        return room.getMember(userId)?.membership === 'join'
      })
    },

    async waitForGone(roomId, userId) {
      const room = await roomOf(roomId)
      await until(`${userId} gone from ${roomId}`, () => room.getMember(userId)?.membership !== 'join')
    },

    async sendText(roomId, body) {
      return (await client.sendMessage(roomId, { msgtype: 'm.text', body })).event_id
    },

    /** The next message starts a new session, whose key every device must be sent first. */
    async renewKeys(roomId) {
      await crypto.forceDiscardSession(roomId)
    },

    /** Waits for a decrypted text message; its event. */
    async waitForText(roomId, body, ms = PATIENCE_MS) {
      const room = await roomOf(roomId)
      const event = await until(
        () =>
          `"${body}" at ${login.user_id}; seen: ` +
          JSON.stringify(events(room).map((e) => [e.getType(), e.getContent().body, e.decryptionFailureReason ?? ''])),
        async () => {
          await Promise.all(events(room).map((e) => client.decryptEventIfNeeded(e)))
          return events(room).find((e) => e.getType() === 'm.room.message' && e.getContent().body === body)
        },
        ms,
      ) // prettier-ignore
      return plain(event)
    },

    /** What the room shows, oldest first, decrypted as far as this device can. */
    async timeline(roomId) {
      const room = await roomOf(roomId)
      await Promise.all(events(room).map((e) => client.decryptEventIfNeeded(e)))
      return events(room).map(plain)
    },

    /** Scrolls back to the beginning, some events at a time, and gives what is then there. */
    async scrollToTop(roomId, step = 10) {
      const room = await roomOf(roomId)
      for (let i = 0; i < 100 && room.oldState.paginationToken !== null; i += 1) {
        const before = events(room).length
        await client.scrollback(room, step)
        if (events(room).length === before && room.oldState.paginationToken === null) break
      }
      return person.timeline(roomId)
    },

    async setTyping(roomId, typing) {
      await client.sendTyping(roomId, typing, 20_000)
    },

    async waitForTyping(roomId, userId, typing) {
      const room = await roomOf(roomId)
      await until(`${userId} typing: ${typing}`, () => (room.getMember(userId)?.typing ?? false) === typing)
    },

    async markRead(roomId, eventId) {
      const room = await roomOf(roomId)
      await client.sendReadReceipt(await until('event to mark', () => room.findEventById(eventId)))
    },

    async waitForReceipt(roomId, userId, eventId) {
      const room = await roomOf(roomId)
      await until(`receipt of ${userId}`, () => room.getEventReadUpTo(userId, true) === eventId)
    },

    /** An answer in the thread of an event; its id. */
    async replyInThread(roomId, rootId, body) {
      const room = await roomOf(roomId)
      await until('the root of the thread', () => room.findEventById(rootId))
      return (await client.sendMessage(roomId, rootId, { msgtype: 'm.text', body })).event_id
    },

    /** Waits until the thread holds these answers; what the SDK says of it. */
    async waitForThread(roomId, rootId, bodies) {
      const room = await roomOf(roomId)
      const texts = () =>
        (room.getThread(rootId)?.events ?? [])
          .filter((event) => event.getId() !== rootId && event.getType() === 'm.room.message')
          .map((event) => event.getContent().body)
      await until(
        () => `the thread of ${rootId}; seen: ${JSON.stringify(texts())}`,
        () => JSON.stringify(texts()) === JSON.stringify(bodies),
      )
      const thread = room.getThread(rootId)
      await until('its length', () => thread.length === bodies.length)
      return {
        mine: thread.hasCurrentUserParticipated,
        root: thread.rootEvent?.getContent().body,
        inMain: events(room).filter((event) => bodies.includes(event.getContent().body)).length,
      }
    },

    async waitForThreadUnread(roomId, rootId, count) {
      const room = await roomOf(roomId)
      const seen = () => room.getThreadUnreadNotificationCount(rootId)
      await until(
        () => `${count} unread in the thread; seen: ${seen()}`,
        () => seen() === count,
      )
    },

    async markThreadRead(roomId, rootId) {
      const room = await roomOf(roomId)
      await client.sendReadReceipt(await until('the last answer', () => room.getThread(rootId)?.replyToEvent))
    },

    /** Roots of the threads of the room, as the server lists them. */
    async listThreads(roomId) {
      const { chunk } = await client.createThreadListMessagesRequest(roomId, null, 50)
      return chunk.map((event) => event.event_id)
    },

    async turnServer() {
      return await client.turnServer()
    },

    async rtcTransports() {
      return await client._unstable_getRTCTransports()
    },

    async sendEvent(roomId, type, content) {
      return (await client.sendEvent(roomId, type, content)).event_id
    },

    /** Waits for a decrypted event of a type; its content. */
    async waitForEvent(roomId, type) {
      const room = await roomOf(roomId)
      return await until(`${type} at ${login.user_id}`, async () => {
        await Promise.all(events(room).map((event) => client.decryptEventIfNeeded(event)))
        return events(room)
          .findLast((event) => event.getType() === type)
          ?.getContent()
      })
    },

    /** Joins the call of the room, as Element Call does: a membership, and a delayed event that ends it when this device is gone. */
    async joinCall(roomId, transports, options) {
      const session = client.matrixRTC.getRoomSession(await roomOf(roomId))
      // With sticky events everybody says where they publish.
      const own = options.unstableSendStickyEvents ? transports[0] : undefined
      session.joinRoomSession(transports, own, { manageMediaKeys: false, ...options })
    },

    async leaveCall(roomId) {
      await client.matrixRTC.getRoomSession(await roomOf(roomId)).leaveRoomSession(20_000)
    },

    /** Waits until these users, and nobody else, are in the call as this device sees it. */
    async waitForCall(roomId, userIds) {
      const session = client.matrixRTC.getRoomSession(await roomOf(roomId))
      const seen = () => session.memberships.map((one) => one.userId).sort()
      const wanted = JSON.stringify(userIds.map(String).sort())
      await until(
        () => `${wanted} in the call; seen: ${JSON.stringify(seen())}`,
        () => JSON.stringify(seen()) === wanted,
      )
    },

    unread(roomId) {
      return client.getRoom(roomId)?.getUnreadNotificationCount() ?? 0
    },

    /** Uploads bytes (base64) as they are, or encrypted with the key in the event, and posts them as a picture. */
    async sendPicture(roomId, { name, type, base64, encrypted }) {
      const bytes = Buffer.from(base64, 'base64')
      const sealed = encrypted ? encryptAttachment(bytes) : undefined
      const { content_uri: url } = await client.uploadContent(sealed?.bytes ?? bytes, {
        name: encrypted ? undefined : name,
        type: encrypted ? 'application/octet-stream' : type,
        includeFilename: !encrypted,
      })
      const info = { mimetype: type, size: bytes.length }
      const content = { msgtype: 'm.image', body: name, info }
      const { event_id: eventId } = await client.sendMessage(
        roomId,
        sealed === undefined ? { ...content, url } : { ...content, file: { url, ...sealed.file } },
      )
      return { eventId, url }
    },

    /** Downloads with the session's token, as clients do since v1.11. */
    async download(mxc, { width, height, method } = {}) {
      const at = client.mxcUrlToHttp(mxc, width, height, method, false, true, true)
      const answer = await fetch(at, { headers: { authorization: `Bearer ${client.getAccessToken()}` } })
      return {
        status: answer.status,
        type: answer.headers.get('content-type'),
        base64: Buffer.from(await answer.arrayBuffer()).toString('base64'),
      }
    },

    /** Downloads and decrypts what a picture event points at. */
    async openPicture(content) {
      const got = await person.download(content.file?.url ?? content.url)
      if (got.status !== 200 || content.file === undefined) return got
      const bytes = decryptAttachment(Buffer.from(got.base64, 'base64'), content.file)
      return { ...got, base64: bytes.toString('base64') }
    },

    /** Makes the cross-signing keys, secret storage and a key backup of the account; gives the recovery key. */
    async bootstrap(password) {
      await crypto.bootstrapCrossSigning({
        authUploadDeviceSigningKeys: async (makeRequest) => {
          await makeRequest({
            type: 'm.login.password',
            identifier: { type: 'm.id.user', user: login.user_id },
            password,
          })
        },
      })
      const recoveryKey = await crypto.createRecoveryKeyFromPassphrase()
      await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => recoveryKey,
        setupNewKeyBackup: true,
        setupNewSecretStorage: true,
      })
      await crypto.checkKeyBackupAndEnable()
      return recoveryKey.encodedPrivateKey
    },

    async status() {
      return {
        crossSigningReady: await crypto.isCrossSigningReady(),
        secretStorageReady: await crypto.isSecretStorageReady(),
        backupVersion: await crypto.getActiveSessionBackupVersion(),
      }
    },

    /** Waits until this device thinks so of another one: `crossSigned`, `signedByOwner`; keys arrive with the next sync. */
    async waitForTrust(userId, deviceId, wanted) {
      let seen
      await until(
        () => `trust in ${deviceId} ${JSON.stringify(wanted)}; seen: ${JSON.stringify(seen)}`,
        async () => {
          await crypto.getUserDeviceInfo([userId], true)
          const status = await crypto.getDeviceVerificationStatus(userId, deviceId)
          if (status === null) return false
          seen = { crossSigned: status.crossSigningVerified, signedByOwner: status.signedByOwner }
          return Object.entries(wanted).every(([key, value]) => seen[key] === value)
        },
      )
    },

    async devicesOf(userId) {
      const devices = await crypto.getUserDeviceInfo([userId], true)
      return [...(devices.get(userId)?.keys() ?? [])].sort()
    },

    async waitForBackup(keys) {
      await until(`${keys} keys in the backup`, async () => {
        // The SDK keeps what it has once read of the backup.
        const { count } = await client.http.authedRequest('GET', '/room_keys/version')
        return count >= keys
      })
    },

    /** With the recovery key alone: loads the backup's key from secret storage and restores every room key. */
    async restoreBackup(recoveryKey) {
      secretStorageKey = decodeRecoveryKey(recoveryKey)
      await crypto.loadSessionBackupPrivateKeyFromSecretStorage()
      const { total, imported } = await crypto.restoreKeyBackup()
      return { total, imported }
    },

    /** Both of one account's devices, or two people, compare emoji; ends when both sides say done. */
    async verifyWith(other) {
      const own = person.userId === other.userId
      const request = own
        ? await crypto.requestDeviceVerification(other.userId, other.deviceId)
        : await crypto.requestVerificationDM(other.userId, await directRoom(client, other.userId))
      const theirs = await until('the request arrives', () =>
        other.requests.find((r) => r.transactionId === request.transactionId),
      )
      await theirs.accept()
      await until('accepted', () => request.phase === VerificationPhase.Ready)
      const verifier = await request.startVerification('m.sas.v1')
      const shown = [emojiOf(verifier), until('started', () => theirs.verifier).then(emojiOf)]
      const running = [verifier.verify(), until('started', () => theirs.verifier).then((v) => v.verify())]
      const [mine, his] = await Promise.all(shown)
      const same = JSON.stringify(mine.sas.emoji) === JSON.stringify(his.sas.emoji)
      if (!same) throw new Error('the two sides show different emoji')
      await Promise.all([mine.confirm(), his.confirm()])
      await Promise.all(running)
      await until('done', () => request.phase === VerificationPhase.Done)
      await until('done there', () => theirs.phase === VerificationPhase.Done)
      return mine.sas.emoji.map(([symbol]) => symbol)
    },
  }
  await start()
  return person
}

const emojiOf = (verifier) =>
  new Promise((resolve, reject) => {
    const ready = verifier.getShowSasCallbacks()
    if (ready !== null) resolve(ready)
    verifier.once(VerifierEvent.ShowSas, resolve)
    verifier.once(VerifierEvent.Cancel, reject)
  })

async function directRoom(client, userId) {
  const known = client.getRooms().find((room) => room.getMember(userId)?.membership === 'join')
  if (known === undefined) throw new Error(`no room with ${userId}`)
  return known.roomId
}
